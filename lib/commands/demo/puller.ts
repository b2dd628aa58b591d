import { createHash } from "node:crypto";
import { deadline } from "../../async/deadline.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import { manifestChildren } from "../../oci/manifest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/media_type.ts";
import type { Cancellable } from "../../ports.ts";

/** Layers that containerd pulls at the same time. */
const PARALLEL = 3;
/** Far more than any transfer of the demo takes. */
const REQUEST_MS = 60_000;

/** Where a pull puts what it got. */
export interface PullTarget {
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
  const { content, from, durationMs } = await fetchContent(
    request,
    `blobs/${descriptor.digest}`,
    options,
  );
  if (digestOf(content) !== descriptor.digest) {
    throw new Error(`the ${from} sent wrong content for ${descriptor.digest}`);
  }
  await request.target.putBlob(descriptor.digest, content);
  return { descriptor, from, durationMs };
}

async function fetchContent(
  { registry, repository, mirror, upstream, onBytes }: PullRequest,
  path: string,
  options: Cancellable,
): Promise<Fetched> {
  const start = performance.now();
  const failures: string[] = [];
  for (const [from, base] of [["mirror", mirror], ["upstream", upstream]] as const) {
    using limit = deadline(REQUEST_MS, options);
    try {
      const url = `${base}/v2/${repository}/${path}?ns=${registry}`;
      const response = await fetch(url, { signal: limit.signal });
      if (response.ok) {
        const content = await readAll(response, onBytes);
        return { content, from, durationMs: performance.now() - start };
      }
      await response.body?.cancel();
      failures.push(`${from}: ${response.status}`);
    } catch (error) {
      options.signal.throwIfAborted();
      failures.push(`${from}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`could not pull ${path}: ${failures.join("; ")}`);
}

async function readAll(
  response: Response,
  onBytes: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    onBytes(chunk.length);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function digestOf(content: Uint8Array): Digest {
  const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
  if (!isDigest(digest)) throw new Error(`malformed digest ${digest}`);
  return digest;
}
