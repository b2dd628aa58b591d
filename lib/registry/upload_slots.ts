/** Bounds how many blobs are sent to peers at the same time. */
export class UploadSlots {
  readonly #most: number;
  #taken = 0;

  /** @param most Infinity for no bound. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes one; undefined if all are taken. The function returned gives it back, once. */
  take(): (() => void) | undefined {
    if (this.#taken >= this.#most) return undefined;
    this.#taken++;
    let given = false;
    return () => {
      if (!given) this.#taken--;
      given = true;
    };
  }
}
