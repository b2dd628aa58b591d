import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "./cancellable.ts";
import type { StoredImage } from "./store.ts";

/** A change of what the node holds. */
export type StoreEvent =
  /** All there is: the first event, and again after every reconnect and now and then. */
  | { readonly type: "sync"; readonly images: readonly StoredImage[] }
  /** An image was created or updated, or more of its content arrived. */
  | { readonly type: "image"; readonly image: StoredImage }
  /** An image name is gone. */
  | { readonly type: "delete"; readonly name: string }
  /** Content arrived that may not belong to a known image yet, from these repositories. */
  | {
    readonly type: "content";
    readonly digest: Digest;
    readonly sources: readonly ContentSource[];
  };

/** A repository that content came from. */
export interface ContentSource {
  readonly registry: string;
  readonly repository: string;
  /** The registry may have a port, which the store does not tell. */
  readonly portless?: boolean;
}

/** Follows what the node holds. */
export interface Watcher {
  /**
   * Yields a `sync` first, then changes, until the signal aborts (the iteration then ends without
   * an error). Survives the store going away and coming back: it reconnects with backoff and yields
   * a new `sync`.
   */
  watch(options: Cancellable): AsyncIterable<StoreEvent>;
}
