import type { Descriptor } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Store } from "../../ports/store.ts";
import type { Integrity } from "../../ports/integrity.ts";

/** A store without its damaged content. */
export class SoundStore implements Store {
  readonly #store: Store;
  readonly #integrity: Pick<Integrity, "isDamaged">;

  constructor(store: Store, integrity: Pick<Integrity, "isDamaged">) {
    this.#store = store;
    this.#integrity = integrity;
  }

  get name(): string {
    return this.#store.name;
  }

  resolve(name: string, options: Cancellable): Promise<Digest | undefined> {
    return this.#store.resolve(name, options);
  }

  async updatedAt(name: string, options: Cancellable): Promise<number | undefined> {
    return await this.#store.updatedAt?.(name, options);
  }

  async stamp(digest: Digest, options: Cancellable): Promise<string | undefined> {
    return await this.#store.stamp?.(digest, options);
  }

  async descriptor(digest: Digest, options: Cancellable): Promise<Descriptor | undefined> {
    if (this.#integrity.isDamaged(digest)) return undefined;
    return await this.#store.descriptor(digest, options);
  }

  async open(digest: Digest, options: Parameters<Store["open"]>[1]): ReturnType<Store["open"]> {
    if (this.#integrity.isDamaged(digest)) return undefined;
    return await this.#store.open(digest, options);
  }
}
