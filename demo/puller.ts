import { createHttpClient } from "../lib/net/http_client.ts";
import { deadline } from "../lib/async/deadline.ts";
import { messageOf } from "../lib/async/thrown.ts";
import { joinBytes } from "../lib/net/bytes.ts";
import type { Descriptor } from "../lib/oci/descriptor.ts";
import { type Digest, digestOf } from "../lib/oci/digest.ts";
import { manifestChildren } from "../lib/oci/manifest.ts";
import { MAX_MANIFEST_BYTES } from "../lib/oci/media_type.ts";
import type { Cancellable } from "../lib/ports/cancellable.ts";

/** Concurrent layers, as in containerd. */
const PARALLEL = 3;
/** Deadline of a transfer, far longer than any in the demo. */
const REQUEST_MS = 60_000;

/** A blob that is stored while it arrives. */
export interface BlobSink {
  write(chunk: Uint8Array): Promise<void>;
  /** Discards what was written. */
  restart(): Promise<void>;
  /** Completes the blob, which is verified. */
  commit(): Promise<void>;
}

/** Store of a pull. */
export interface PullTarget {
  /** Stores a blob while it arrives; default: `putBlob` stores it once complete. */
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
  /** Base URL of the upstream registry, asked if the mirror answers anything but 200. */
  readonly upstream: string;
  readonly target: PullTarget;
  /** Called with bytes as they arrive. */
  readonly onBytes: (bytes: number) => void;
  /** Throttles bytes from upstream; default: unlimited. */
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
 * Pulls an image as containerd does: by tag, from the mirror or else from upstream, with every
 * digest verified.
 *
 * @returns the pieces in the order of the manifest, the manifest first.
 * @throws if neither mirror nor upstream has a piece, or if content does not match its digest.
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
  // As containerd does: the file is created before the first request.
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
      using client = createHttpClient(new URL(url), undefined);
      const response = await fetch(url, { client, signal: limit.signal });
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
  return joinBytes(chunks);
}
