import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ByteRange } from "../oci/range.ts";
import type { Cancellable } from "./cancellable.ts";

/** Reads images and content that the node holds. Absence is a value, not an error. */
export interface Store {
  /** For logs: `containerd` or `oci-layout`. */
  readonly name: string;
  /**
   * The digest of an image name (`registry/repository:tag`); undefined if the store does not know
   * the name. Rejects if the store gives no answer.
   */
  resolve(name: string, options: Cancellable): Promise<Digest | undefined>;
  /**
   * When the image of this name was made or last changed here, ms since 1970; undefined if the name
   * or the time is not known. Rejects if the store gives no answer.
   */
  updatedAt?(name: string, options: Cancellable): Promise<number | undefined>;
  /** Changes once content is rewritten; undefined if it is not held. Rejects as `resolve`. */
  stamp?(digest: Digest, options: Cancellable): Promise<string | undefined>;
  /** Size and media type of complete content; undefined if it is not held. */
  descriptor(digest: Digest, options: Cancellable): Promise<Descriptor | undefined>;
  /**
   * Opens content, or a part of it; undefined if it is not held. A stream that cannot be completed
   * errors, it never ends early. The caller reads it to its end or cancels it, and owns the buffer
   * of each chunk: it may transfer it.
   */
  open(
    digest: Digest,
    options: Cancellable & {
      readonly range?: ByteRange;
      /** A recent result of `descriptor`, to save another query. */
      readonly held?: Descriptor;
    },
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
}

/** An image that the node knows, with its present content. */
export interface StoredImage {
  /** The store's own name, e.g. `docker.io/library/nginx:1.27`. */
  readonly name: string;
  /** Digest of the index or manifest that the name points to. */
  readonly target: Digest;
  /** Present digests reachable from the target, including the target if it is present. */
  readonly present: readonly Digest[];
  /** Those of them that are manifests about another one; default none. */
  readonly referrers?: readonly HeldReferrer[];
}

/** A held manifest that is about another one, which is held or not. */
export interface HeldReferrer {
  readonly digest: Digest;
  /** The other one's digest. */
  readonly subject: Digest;
}
