import { isDigest } from "../oci/digest.ts";
import { parseReference, type Reference } from "../oci/reference.ts";
import type { Log } from "../ports/log.ts";
import type { StoredImage } from "../ports/store.ts";

/** Reference of an image whose name has no registry; peers find it by digest only. */
export const NAMELESS: Reference = { registry: "", repository: "any" };

/** Logs images whose names have no registry, since no peer can ask for their tags. */
export class NamelessImages {
  readonly #log: Log;
  #known = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Logs them if their number has changed. */
  report(images: readonly StoredImage[]): void {
    const nameless = images.filter(({ name }) =>
      !isDigest(name) && parseReference(name) === undefined
    );
    if (nameless.length > 0 && nameless.length !== this.#known) {
      this.#log.warn("images without a registry in their name are found by digest alone", {
        images: nameless.length,
        example: nameless[0]?.name,
        fix: "name them in full, such as registry.example/app:1.0",
      });
    }
    this.#known = nameless.length;
  }
}
