import { deadline } from "../../async/deadline.ts";
import { messageOf } from "../../async/thrown.ts";
import { joinBytes } from "../../net/bytes.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { ReferenceFilter } from "../../oci/filter.ts";
import { isIndexMediaType, isManifestMediaType } from "../../oci/media_type.ts";
import { formatReference, type Reference, referenceKey } from "../../oci/reference.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Mirror } from "../../ports/mirror.ts";
import type { Router } from "../../ports/router.ts";
import { manifestChildren } from "../../oci/manifest.ts";
import { MeasureError, parseTarget } from "./measure_target.ts";
import { choosePlatform } from "./platform.ts";

/** Collaborators of a measurement: it reaches other nodes only in the way a pull does. */
export interface MeasureCollaborators {
  readonly router: Pick<Router, "lookup">;
  readonly mirror: Mirror;
  /** The filter for pulls. */
  readonly filter: ReferenceFilter;
  readonly clock: Clock;
}

export interface MeasureOptions {
  /** Deadline of the lookup, ms; default 3,000. */
  lookupMs?: number;
  /** Deadline of the whole pull, ms; default 60,000. */
  pullMs?: number;
  /** Maximum bytes to pull; default 4 GiB. */
  maxBytes?: number;
  /** Maximum pieces to pull; default 128. */
  maxPieces?: number;
  /** Maximum peers to list; default 50. */
  maxPeers?: number;
}

export interface MeasureRequest {
  /** False: looks up the holders without pulling. */
  readonly pull: boolean;
}

/** A peer that was found, and the time since the start of the lookup. */
export interface FoundPeer {
  readonly id: string;
  readonly address: string;
  readonly afterMs: number;
}

/** A piece of an image and how it was pulled. */
export interface MeasuredPiece {
  readonly kind: "index" | "manifest" | "config" | "layer" | "blob";
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes received. */
  readonly bytes: number;
  /** From the start of the pull to the request, ms. */
  readonly startMs: number;
  /** From the request to a peer's response headers, ms. */
  readonly answerMs: number;
  /** From the request to the last byte, ms. */
  readonly durationMs: number;
  /** Id of the peer that answered. */
  readonly peer: string;
  /** Why it is incomplete; undefined if it is complete. */
  readonly error?: string | undefined;
}

export interface Measurement {
  /** The reference that was looked up. */
  readonly reference: string;
  readonly key: string;
  readonly peers: readonly FoundPeer[];
  readonly lookupMs: number;
  readonly pieces: readonly MeasuredPiece[];
  readonly pullMs: number;
  readonly bytes: number;
  /** Why the result is partial; undefined if it is complete. */
  readonly problem?: string | undefined;
}

/**
 * Makes the function that measures a reference: it looks up the holders, then pulls each piece from
 * peers, one after the other, and discards it. One measurement at a time.
 *
 * The function throws a {@link MeasureError} for input that cannot be measured; failures of peers
 * are part of the result.
 */
export function createMeasure(
  collaborators: MeasureCollaborators,
  options: MeasureOptions = {},
): (text: string, options: Cancellable & MeasureRequest) => Promise<Measurement> {
  const limits = {
    lookupMs: options.lookupMs ?? 3_000,
    pullMs: options.pullMs ?? 60_000,
    maxBytes: options.maxBytes ?? 4 * 1024 ** 3,
    maxPieces: options.maxPieces ?? 128,
    maxPeers: options.maxPeers ?? 50,
  };
  let busy = false;
  return async (text, { signal, pull }) => {
    const reference = parseTarget(text);
    if (!collaborators.filter(reference)) {
      throw new MeasureError(
        `${
          formatReference(reference)
        } is excluded by the options of this node (filters, mirrored ` +
          `registries or tags)`,
        400,
      );
    }
    if (busy) throw new MeasureError("another measurement is under way, try again later", 429);
    busy = true;
    try {
      return await new MeasurementRun(collaborators, limits).run(reference, pull, signal);
    } finally {
      busy = false;
    }
  };
}

type Limits = Required<MeasureOptions>;

class MeasurementRun {
  readonly #with: MeasureCollaborators;
  readonly #limits: Limits;
  readonly #pieces: MeasuredPiece[] = [];
  #bytes = 0;
  #pullStart = 0;
  #problem: string | undefined;

  constructor(collaborators: MeasureCollaborators, limits: Limits) {
    this.#with = collaborators;
    this.#limits = limits;
  }

  async run(reference: Reference, pull: boolean, signal: AbortSignal): Promise<Measurement> {
    const { clock } = this.#with;
    const key = referenceKey(reference);
    const started = clock.now();
    const peers = await this.#lookup(key, signal);
    const lookupMs = clock.now() - started;
    this.#pullStart = clock.now();
    if (peers.length === 0) this.#problem = "no peer is known to hold it";
    else if (pull) await this.#pull(reference, signal);
    return {
      reference: reference.registry === "" ? key : formatReference(reference),
      key,
      peers,
      lookupMs,
      pieces: this.#pieces,
      pullMs: clock.now() - this.#pullStart,
      bytes: this.#bytes,
      problem: this.#problem,
    };
  }

  async #lookup(key: string, signal: AbortSignal): Promise<FoundPeer[]> {
    const { router, clock } = this.#with;
    using limit = deadline(this.#limits.lookupMs, { signal });
    const started = clock.now();
    const found: FoundPeer[] = [];
    for await (const { id, addresses } of router.lookup(key, { signal: limit.signal })) {
      found.push({ id, address: addresses[0] ?? "", afterMs: clock.now() - started });
      if (found.length >= this.#limits.maxPeers) break;
    }
    signal.throwIfAborted();
    return found;
  }

  async #pull(reference: Reference, signal: AbortSignal): Promise<void> {
    using limit = deadline(this.#limits.pullMs, { signal });
    try {
      await this.#pullImage(reference, limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#problem = limit.signal.aborted
        ? `stopped after ${this.#limits.pullMs} ms`
        : messageOf(error);
    }
  }

  async #pullImage(reference: Reference, signal: AbortSignal): Promise<void> {
    let top = await this.#piece("manifest", reference, signal);
    if (top === undefined && reference.digest !== undefined) {
      this.#problem = undefined;
      top = await this.#piece("blob", reference, signal);
    }
    if (top === undefined || !isManifestMediaType(top.mediaType)) return;
    let children = manifestChildren(top.content);
    if (isIndexMediaType(top.mediaType)) {
      const chosen = choosePlatform(top.content, Deno.build);
      if (chosen === undefined) {
        this.#problem = "the index names no image for this node's platform";
        return;
      }
      const manifest = await this.#piece("manifest", { ...reference, digest: chosen }, signal);
      if (manifest === undefined) return;
      children = manifestChildren(manifest.content);
    }
    await this.#pullChildren(reference, children, signal);
  }

  async #pullChildren(
    reference: Reference,
    children: readonly Descriptor[],
    signal: AbortSignal,
  ): Promise<void> {
    if (children.length > this.#limits.maxPieces) {
      this.#problem = `only the first ${this.#limits.maxPieces} of ${children.length} pieces`;
    }
    for (const [index, { digest, size }] of children.slice(0, this.#limits.maxPieces).entries()) {
      if (this.#bytes + size > this.#limits.maxBytes) {
        this.#problem = `stopped before more than ${this.#limits.maxBytes} bytes were pulled`;
        return;
      }
      const kind = index === 0 ? "config" : "layer";
      await this.#piece("blob", { ...reference, digest }, signal, kind);
    }
  }

  /** Pulls one piece; undefined if no peer had it, with the reason recorded. */
  async #piece(
    kind: "manifest" | "blob",
    reference: Reference,
    signal: AbortSignal,
    shown: MeasuredPiece["kind"] = kind,
  ): Promise<{ content: Uint8Array; mediaType: string } | undefined> {
    const { mirror, clock } = this.#with;
    const started = clock.now();
    const answer = await mirror.fetch({ method: "GET", kind, reference }, { signal });
    if (!answer.found) {
      this.#problem ??= `no peer delivered ${referenceKey(reference)} (${answer.reason})`;
      return undefined;
    }
    const answerMs = clock.now() - started;
    const { digest, mediaType } = answer.descriptor;
    const read = await this.#read(answer.body, kind === "manifest");
    this.#pieces.push({
      kind: isIndexMediaType(mediaType) ? "index" : shown,
      digest,
      mediaType,
      bytes: read.bytes,
      startMs: started - this.#pullStart,
      answerMs,
      durationMs: clock.now() - started,
      peer: answer.peer,
      error: read.error,
    });
    if (read.error !== undefined) this.#problem ??= `${digest}: ${read.error}`;
    signal.throwIfAborted();
    return { content: read.content, mediaType };
  }

  async #read(body: ReadableStream<Uint8Array<ArrayBuffer>> | null, keep: boolean) {
    const kept: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    try {
      for await (const chunk of body ?? []) {
        bytes += chunk.length;
        this.#bytes += chunk.length;
        // The mirror bounds the size of manifests.
        if (keep) kept.push(chunk);
        if (this.#bytes > this.#limits.maxBytes) throw new Error("more bytes than announced");
      }
      return { content: joinBytes(kept), bytes };
    } catch (error) {
      return {
        content: new Uint8Array(),
        bytes,
        error: messageOf(error),
      };
    }
  }
}
