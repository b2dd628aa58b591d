import type { Cancellable } from "../../ports/cancellable.ts";
import type { MirrorOptions } from "../options.ts";
import type { Search } from "../selection/search.ts";
import type { PartReaderInit, PartReaderOptions } from "../split/part_reader_init.ts";
import { Transfer, type TransferCollaborators } from "./transfer.ts";

/** Begins the transfers of one mirror. */
export class Transfers {
  readonly #collaborators: Omit<TransferCollaborators, "search">;
  readonly #options: MirrorOptions;

  constructor(collaborators: Omit<TransferCollaborators, "search">, options: MirrorOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /**
   * Begins the transfer of content that a peer offers.
   *
   * @param search finds further peers for it, and is closed with it.
   * @param options replace settings of the mirror.
   */
  begin(
    init: PartReaderInit,
    search: Search,
    options: Cancellable & Partial<PartReaderOptions>,
  ): Transfer {
    return new Transfer(
      init,
      { ...this.#collaborators, search },
      { ...this.#options, ...options },
    );
  }
}
