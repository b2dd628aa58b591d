import { createHash } from "node:crypto";
import { deadline } from "../lib/async/deadline.ts";
import { messageOf } from "../lib/async/thrown.ts";
import type { Descriptor } from "../lib/oci/descriptor.ts";
import { type Digest, isDigest } from "../lib/oci/digest.ts";
import { manifestChildren } from "../lib/oci/manifest.ts";
import { MAX_MANIFEST_BYTES } from "../lib/oci/media_type.ts";
import type { Cancellable } from "../lib/ports/cancellable.ts";

/** Layers that containerd pulls at the same time. */
const PARALLEL = 3;
/** Far more than any transfer of the demo takes. */
const REQUEST_MS = 60_000;

/** A blob that is written as it comes. */
export interface BlobSink {
  write(chunk: Uint8Array): Promise<void>;
  /** What came so far is to be forgotten. */
  restart(): Promise<void>;
  /** All of it is there, and right. */
  commit(): Promise<void>;
}

/** Where a pull puts what it got. */
export interface PullTarget {
  /** Takes a blob while it comes; default: `putBlob` takes it whole. */
  begin?(descriptor: Descriptor): Promise<BlobSink>;
  putBlob(digest: Digest, content: Uint8Array<ArrayBuffer>): Promise<void>;
  putManifest(name: string, digest: Digest, content: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** What to pull, and from where. */
export interface PullRequest {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  /** Base URL of this node's mirror, asked first. */
  readonly mirror: string;
  /** Base URL of the upstream registry, asked when the mirror answers anything but 200. */
  readonly upstream: string;
  readonly target: PullTarget;
  /** Told of bytes as they arrive. */
  readonly onBytes: (bytes: number) => void;
  /** Lets bytes of upstream through; default at once. */
  readonly fromUpstream?: (bytes: number) => Promise<void>;
}

/** How one piece of content was pulled. */
export interface PulledContent {
  readonly descriptor: Descriptor;
  readonly from: "mirror" | "upstream";
  /** Milliseconds from request to last byte. */
  readonly durationMs: number;
}

interface Fetched {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly from: PulledContent["from"];
  readonly durationMs: number;
}

/**
 * Pulls an image as containerd does: by tag, the mirror first and upstream when that has nothing, and
 * every digest checked.
 *
 * @returns the pieces in the order of the manifest, the manifest first.
 * @throws if neither mirror nor upstream has a piece, or if content is not what was asked for.
 */
export async function pullImage(
  request: PullRequest,
  options: Cancellable,
): Promise<PulledContent[]> {
  const { registry, repository, tag, target } = request;
  const fetched = await fetchContent(request, `manifests/${tag}`, options);
  const digest = digestOf(fetched.content);
  const size = fetched.content.length;
  if (size > MAX_MANIFEST_BYTES) throw new Error(`manifest of ${size} bytes is too large`);
  const children = manifestChildren(fetched.content);
  const pulled: PulledContent[] = [];
  for (let first = 0; first < children.length; first += PARALLEL) {
    const batch = children.slice(first, first + PARALLEL);
    pulled.push(...await Promise.all(batch.map((child) => pullBlob(request, child, options))));
  }
  await target.putManifest(`${registry}/${repository}:${tag}`, digest, fetched.content);
  const descriptor = { digest, size, mediaType: "manifest" };
  return [{ descriptor, from: fetched.from, durationMs: fetched.durationMs }, ...pulled];
}

async function pullBlob(
  request: PullRequest,
  descriptor: Descriptor,
  options: Cancellable,
): Promise<PulledContent> {
  // As containerd does: room for it is made before anybody is asked.
  const sink = await request.target.begin?.(descriptor);
  const path = `blobs/${descriptor.digest}`;
  const { content, from, durationMs } = await fetchContent(request, path, options, sink);
  if (digestOf(content) !== descriptor.digest) {
    throw new Error(`the ${from} sent wrong content for ${descriptor.digest}`);
  }
  if (sink === undefined) await request.target.putBlob(descriptor.digest, content);
  else await sink.commit();
  return { descriptor, from, durationMs };
}

async function fetchContent(
  { registry, repository, mirror, upstream, onBytes, fromUpstream }: PullRequest,
  path: string,
  options: Cancellable,
  sink?: BlobSink,
): Promise<Fetched> {
  const start = performance.now();
  const failures: string[] = [];
  for (const [from, base] of [["mirror", mirror], ["upstream", upstream]] as const) {
    using limit = deadline(REQUEST_MS, options);
    try {
      const url = `${base}/v2/${repository}/${path}?ns=${registry}`;
      const response = await fetch(url, { signal: limit.signal });
      if (response.ok) {
        const content = await readAll(response, async (chunk) => {
          if (from === "upstream") await fromUpstream?.(chunk.length);
          onBytes(chunk.length);
          await sink?.write(chunk);
        });
        return { content, from, durationMs: performance.now() - start };
      }
      await response.body?.cancel();
      failures.push(`${from}: ${response.status}`);
    } catch (error) {
      options.signal.throwIfAborted();
      await sink?.restart();
      failures.push(`${from}: ${messageOf(error)}`);
    }
  }
  throw new Error(`could not pull ${path}: ${failures.join("; ")}`);
}

async function readAll(
  response: Response,
  onChunk: (chunk: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    await onChunk(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function digestOf(content: Uint8Array): Digest {
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  if (!isDigest(digest)) throw new Error(`malformed digest ${digest}`);
  return digest;
}
