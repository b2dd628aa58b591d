import type { Descriptor } from "../../lib/oci/descriptor.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { detectMediaType } from "../../lib/oci/media_type.ts";
import type { ByteRange } from "../../lib/oci/range.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";
import type { Store } from "../../lib/ports/store.ts";

/** A store in memory. */
export class MemoryStore implements Store {
  readonly name = "memory";
  readonly #blobs = new Map<Digest, Uint8Array<ArrayBuffer>>();
  /** How often each was added. */
  readonly #writes = new Map<Digest, number>();
  readonly #names = new Map<string, Digest>();
  readonly #times = new Map<string, number | undefined>();

  /** Adds content and says which digest it has. */
  add(content: Uint8Array<ArrayBuffer> | string): Digest {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    this.#writes.set(digest, (this.#writes.get(digest) ?? 0) + 1);
    return digest;
  }

  /** Points a name at a digest, at some time (ms since 1970) or an unknown one. */
  tag(name: string, digest: Digest, updatedAt?: number): void {
    this.#names.set(name, digest);
    this.#times.set(name, updatedAt);
  }

  /** Has other content under a digest, as a disk that flips bits does; its stamp stays. */
  damage(digest: Digest, content: Uint8Array<ArrayBuffer> | string): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    this.#blobs.set(digest, bytes);
  }

  /** Forgets content, names that point to it included. */
  remove(digest: Digest): void {
    this.#blobs.delete(digest);
    for (const [name, target] of this.#names) if (target === digest) this.#names.delete(name);
  }

  resolve(name: string, { signal }: Cancellable): Promise<Digest | undefined> {
    return soon(signal, () => this.#names.get(name));
  }

  updatedAt(name: string, { signal }: Cancellable): Promise<number | undefined> {
    return soon(signal, () => this.#names.has(name) ? this.#times.get(name) : undefined);
  }

  stamp(digest: Digest, { signal }: Cancellable): Promise<string | undefined> {
    return soon(signal, () => this.#blobs.has(digest) ? `${this.#writes.get(digest)}` : undefined);
  }

  descriptor(digest: Digest, { signal }: Cancellable): Promise<Descriptor | undefined> {
    return soon(signal, () => {
      const bytes = this.#blobs.get(digest);
      return bytes && { digest, size: bytes.length, mediaType: detectMediaType(bytes) };
    });
  }

  open(digest: Digest, { range, signal }: Cancellable & { readonly range?: ByteRange }) {
    return soon(signal, () => {
      const bytes = this.#blobs.get(digest);
      const part = range === undefined ? bytes : bytes?.slice(range.start, range.end + 1);
      return part && new Blob([part]).stream();
    });
  }
}

/** Answers later, and rejects rather than throws, as a store that has to ask somebody does. */
async function soon<T>(signal: AbortSignal, answer: () => T): Promise<T> {
  await Promise.resolve();
  signal.throwIfAborted();
  return answer();
}
