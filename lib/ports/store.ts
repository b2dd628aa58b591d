import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ByteRange } from "../oci/range.ts";
import type { Cancellable } from "./cancellable.ts";

/** Reads images and content that the node holds. Absence is a value, not an error. */
export interface Store {
  /** For logs: `containerd` or `oci-layout`. */
  readonly name: string;
  /**
   * The digest that an image name (`registry/repository:tag`) points to; undefined if the store
   * does not know the name. Rejects if the store cannot be asked.
   */
  resolve(name: string, options: Cancellable): Promise<Digest | undefined>;
  /**
   * When the image of this name was made or last changed here, ms since 1970; undefined if the store
   * does not know the name, or the time. Rejects if the store cannot be asked.
   */
  updatedAt?(name: string, options: Cancellable): Promise<number | undefined>;
  /** Differs once content was written anew; undefined if it is not held. Rejects as `resolve`. */
  stamp?(digest: Digest, options: Cancellable): Promise<string | undefined>;
  /** Size and media type of content held whole; undefined if it is not held. */
  descriptor(digest: Digest, options: Cancellable): Promise<Descriptor | undefined>;
  /**
   * Opens content, or the part of it that `range` names; undefined if it is not held. A stream that
   * cannot be completed errors, it never ends early. The caller reads it to its end or cancels it,
   * and owns the buffer of each chunk: it may transfer it.
   */
  open(
    digest: Digest,
    options: Cancellable & {
      readonly range?: ByteRange;
      /** What `descriptor` said a moment ago: that need not be found out again. */
      readonly held?: Descriptor;
    },
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined>;
}

/** An image that the node knows, and what of its content is really there. */
export interface StoredImage {
  /** The store's own name, e.g. `docker.io/library/nginx:1.27`. */
  readonly name: string;
  /** Digest of the index or manifest that the name points to. */
  readonly target: Digest;
  /** Digests reachable from the target that are present, the target included if it is. */
  readonly present: readonly Digest[];
}
