import { detectMediaType, isManifestMediaType, MAX_MANIFEST_BYTES } from "../oci/media_type.ts";
import { formatDistributionPath } from "../oci/path.ts";
import type { MirrorHit, MirrorMiss, MirrorRequest } from "../ports/mirror.ts";
import type { MirrorOptions } from "./options.ts";
import type { Searches } from "./selection/searches.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ContentCache, type VerifiedContent } from "./whole/content_cache.ts";
import type { Search } from "./selection/search.ts";
import { SingleFlight } from "../async/single_flight.ts";
import { joinBytes } from "../net/bytes.ts";
import type { Source } from "./selection/source.ts";
import { wholeBody } from "./whole/whole_body.ts";
import { ChunkList } from "./memory/content_memory.ts";
import type { CreateWholeReader, WholeReader } from "./whole/whole_reader.ts";

/** What {@link Manifests} work with. */
export interface ManifestsCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly searches: Searches;
  readonly createReader: CreateWholeReader;
}

/**
 * Gets manifests from peers, whole and verified before anything of them is passed on. HEAD gets the
 * manifest as well: a tag must not resolve to a digest that no peer then delivers.
 */
export class Manifests {
  readonly #collaborators: ManifestsCollaborators;
  readonly #cache: ContentCache;
  readonly #flights = new SingleFlight<VerifiedContent | MirrorMiss>();

  constructor(collaborators: ManifestsCollaborators, options: MirrorOptions) {
    this.#collaborators = collaborators;
    this.#cache = new ContentCache(collaborators.clock, options);
  }

  /** @throws the signal's reason when it aborts. */
  async fetch(request: MirrorRequest, signal: AbortSignal): Promise<MirrorHit | MirrorMiss> {
    const { reference: { digest }, openOnly = false } = request;
    const kept = digest && this.#cache.get(digest);
    const manifest = kept !== undefined && !(openOnly && kept.isPrivate)
      ? kept
      : await this.#flights.run(
        `${openOnly} ${formatDistributionPath(request)}`,
        { signal },
        (shared) => this.#find(request, shared),
      );
    return "found" in manifest ? manifest : hitOf(manifest, request);
  }

  /** {@inheritDoc Mirror.kept} */
  kept(request: MirrorRequest): MirrorHit | undefined {
    const { digest } = request.reference;
    const kept = digest && this.#cache.get(digest);
    return kept === undefined || kept.isPrivate ? undefined : hitOf(kept, request);
  }

  async #find(request: MirrorRequest, signal: AbortSignal): Promise<VerifiedContent | MirrorMiss> {
    const { searches, createReader } = this.#collaborators;
    const search = searches.begin(request);
    const openOnly = request.openOnly === true;
    const reader = createReader({ search, openOnly });
    try {
      while (reader.goesOn) {
        const source = await search.open({
          path: formatDistributionPath(request),
          method: "GET",
          digest: request.reference.digest,
          maxBytes: MAX_MANIFEST_BYTES,
          openOnly,
        }, signal);
        if (source === undefined) break;
        const manifest = await this.#read(request, { search, reader, source }, signal);
        if (manifest === undefined) continue;
        this.#cache.put(manifest);
        return manifest;
      }
      return search.miss();
    } finally {
      search.close();
    }
  }

  /** Undefined if the peer's content is no manifest, or is wrong. */
  async #read(
    request: MirrorRequest,
    { search, reader, source }: {
      readonly search: Search;
      readonly reader: WholeReader;
      readonly source: Source;
    },
    signal: AbortSignal,
  ): Promise<VerifiedContent | undefined> {
    const { registry, repository } = request.reference;
    const { digest, size } = source.descriptor;
    const path = formatDistributionPath({
      kind: "manifest",
      reference: { registry, repository, digest },
    });
    const memory = new ChunkList();
    const whole = await reader.read(source, { path, memory, signal });
    if (whole === undefined) return undefined;
    const content = joinBytes(memory.pieces);
    const mediaType = detectMediaType(content);
    const { peer: { id: peer } } = source;
    if (isManifestMediaType(mediaType)) {
      const { isPrivate } = whole;
      return { descriptor: { digest, size, mediaType }, content, peer, isPrivate };
    }
    search.refuse();
    this.#collaborators.log.warn("the content of a peer is no manifest", { peer, digest });
    return undefined;
  }
}

function hitOf(manifest: VerifiedContent, { method }: MirrorRequest): MirrorHit {
  const { descriptor, peer, isPrivate, content } = manifest;
  const hit = { found: true as const, descriptor, peer, isPrivate };
  return method === "HEAD" ? { ...hit, body: null } : Object.assign(wholeBody(content), hit);
}
