import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "./cancellable.ts";
import type { StoredImage } from "./store.ts";

/** A change of what the node holds. */
export type StoreEvent =
  /** All images: the first event, repeated after every reconnect and periodically. */
  | { readonly type: "sync"; readonly images: readonly StoredImage[] }
  /** An image was created or updated, or more of its content arrived. */
  | { readonly type: "image"; readonly image: StoredImage }
  /** An image name was removed. */
  | { readonly type: "delete"; readonly name: string }
  /** Content arrived, possibly of no known image yet, from these repositories. */
  | {
    readonly type: "content";
    readonly digest: Digest;
    readonly sources: readonly ContentSource[];
  };

/** A repository that content was pulled from. */
export interface ContentSource {
  readonly registry: string;
  readonly repository: string;
  /** The registry may have a port, which the store does not report. */
  readonly portless?: boolean;
}

/** Follows what the node holds. */
export interface Watcher {
  /**
   * Yields a `sync` first, then changes, until the signal aborts (the iteration then ends without
   * an error). If the store goes down, it reconnects with backoff and yields a new `sync`.
   */
  watch(options: Cancellable): AsyncIterable<StoreEvent>;
}
