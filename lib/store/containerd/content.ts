import { deadline } from "../../async/deadline.ts";
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { ByteRange } from "../../oci/range.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import { BlobDirectory } from "../blob_directory.ts";
import { type ContainerdClient, ContainerdError } from "./client.ts";
import { type ContentInfo, methods } from "./methods.ts";

export interface ContainerdContentOptions {
  /**
   * containerd's content directory (`…/io.containerd.content.v1.content`), which has `blobs/`.
   * Without it, or if it is not readable, all bytes come through the content service.
   */
  readonly contentPath?: string | undefined;
  /** Longest wait for the next bytes from the content service, ms; default 10,000. */
  readonly stallTimeoutMs?: number;
  /** Deadline for listing all content, ms; default 30,000. */
  readonly listTimeoutMs?: number;
}

/** containerd's content: metadata from the content service, bytes from its files if possible. */
export class ContainerdContent {
  readonly #client: ContainerdClient;
  readonly #files: BlobDirectory | undefined;
  readonly #stallTimeoutMs: number;
  readonly #listTimeoutMs: number;

  constructor(client: ContainerdClient, options: ContainerdContentOptions = {}) {
    this.#client = client;
    this.#files = options.contentPath === undefined
      ? undefined
      : new BlobDirectory(options.contentPath);
    this.#stallTimeoutMs = options.stallTimeoutMs ?? 10_000;
    this.#listTimeoutMs = options.listTimeoutMs ?? 30_000;
  }

  /** Size and labels of content; undefined if it is not in this namespace. */
  async info(digest: Digest, { signal }: Cancellable): Promise<ContentInfo | undefined> {
    try {
      const { info } = await this.#client.call(methods.contentInfo, { digest }, { signal });
      return info ?? undefined;
    } catch (error) {
      if (error instanceof ContainerdError && error.notFound) return undefined;
      throw error;
    }
  }

  /** The digests of all content in this namespace. */
  async list({ signal }: Cancellable): Promise<Set<Digest>> {
    const timeoutMs = this.#listTimeoutMs;
    const digests = new Set<Digest>();
    const settings = { signal, timeoutMs };
    for await (const { info } of this.#client.stream(methods.stream.listContent, ALL, settings)) {
      for (const { digest } of info) if (isDigest(digest)) digests.add(digest);
    }
    return digests;
  }

  /**
   * Changes whenever a blob of any namespace is added or removed; undefined without file access.
   */
  async stamp(): Promise<string | undefined> {
    return await this.#files?.stamp();
  }

  /**
   * What the file system says: the size, `absent` if no namespace has the content, or `unknown`
   * without file access.
   */
  async file(digest: Digest): Promise<number | "absent" | "unknown"> {
    if (this.#files === undefined) return "unknown";
    return await this.#files.size(digest) ?? (await this.#files.usable() ? "absent" : "unknown");
  }

  /** Changes when content is rewritten; undefined if it is not held. */
  async stampOf(digest: Digest, options: Cancellable): Promise<string | undefined> {
    const stamp = await this.#files?.stampOf(digest);
    if (stamp !== undefined) return stamp;
    const { seconds, nanos } = (await this.info(digest, options))?.createdAt ?? {};
    return seconds === undefined ? undefined : `${seconds}.${nanos}`;
  }

  /** Content of at most `maxBytes`; undefined if it is larger or not held. */
  async read(digest: Digest, maxBytes: number, options: Cancellable) {
    const content = await this.#files?.read(digest, maxBytes);
    if (content !== undefined) return content;
    const info = await this.info(digest, options);
    if (info === undefined || info.size > maxBytes) return undefined;
    const stream = this.#stream(digest, { start: 0, end: info.size - 1 }, options.signal);
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /**
   * Streams content of a known size, or a part of it, from its file; undefined if that is missing
   * or not readable. The stream errors if it cannot be completed.
   */
  async openFile(digest: Digest, size: number, range: ByteRange | undefined) {
    return await this.#files?.open(digest, size, range);
  }

  /** Streams through the content service. */
  stream(digest: Digest, size: number, range: ByteRange | undefined) {
    return this.#stream(digest, range ?? { start: 0, end: size - 1 });
  }

  #stream(
    digest: Digest,
    { start, end }: ByteRange,
    signal?: AbortSignal,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    const length = end - start + 1;
    // The service takes a size of 0 for "all", so an empty part must not be requested.
    if (length <= 0) return new Blob([]).stream();
    let remaining = length;
    const ended = new AbortController();
    const messages = this.#client.stream(
      methods.stream.readContent,
      { digest, offset: start, size: length },
      {
        signal: signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]),
        timeoutMs: Infinity,
      },
    );
    return new ReadableStream({
      pull: async (controller) => {
        using stall = deadline(this.#stallTimeoutMs);
        const onStall = () => ended.abort(stall.signal.reason);
        stall.signal.addEventListener("abort", onStall, { once: true });
        const { value, done } = await messages.next();
        if (done) throw new Error(`content ${digest} ended ${remaining} bytes too early`);
        remaining -= value.data.length;
        if (remaining < 0) throw new Error(`content ${digest} has more bytes than requested`);
        // A copy, since the message is a view of a shared buffer.
        controller.enqueue(new Uint8Array(value.data));
        if (remaining > 0) return;
        await messages.return();
        controller.close();
      },
      cancel: async (reason) => {
        ended.abort(reason ?? new DOMException("stream was cancelled", "AbortError"));
        await messages.return();
      },
    }, { highWaterMark: 0 });
  }
}

const ALL = { filters: [] };
