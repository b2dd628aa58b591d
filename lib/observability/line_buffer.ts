import { setImmediate } from "node:timers";

/**
 * Passes lines on together: all those of one turn of the event loop at its end, for each write is a
 * system call. What has not been passed on when the process ends, or is about to end because of an
 * unobserved error, is passed on then.
 */
export class LineBuffer implements Disposable {
  readonly #pass: (text: string) => void;
  #text = "";

  constructor(pass: (text: string) => void) {
    this.#pass = pass;
    for (const event of ENDINGS) globalThis.addEventListener(event, this.flush);
  }

  /** Takes text. */
  readonly write = (text: string): void => {
    if (this.#text === "") setImmediate(this.flush);
    this.#text += text;
  };

  /** Passes on what there is. */
  readonly flush = (): void => {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#pass(text);
  };

  /** Passes on what there is, and no longer looks after the end of the process. */
  [Symbol.dispose](): void {
    for (const event of ENDINGS) globalThis.removeEventListener(event, this.flush);
    this.flush();
  }
}

const ENDINGS = ["unload", "error", "unhandledrejection"] as const;
