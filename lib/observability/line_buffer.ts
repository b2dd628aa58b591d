import { setImmediate } from "node:timers";

/**
 * Batches the lines of one turn of the event loop into one write, since each write is a system
 * call. Remaining lines are written when the process ends, or is about to end because of an
 * unhandled error.
 */
export class LineBuffer implements Disposable {
  readonly #pass: (text: string) => void;
  #text = "";

  constructor(pass: (text: string) => void) {
    this.#pass = pass;
    for (const event of ENDINGS) globalThis.addEventListener(event, this.flush);
  }

  readonly write = (text: string): void => {
    if (this.#text === "") setImmediate(this.flush);
    this.#text += text;
  };

  /** Writes the buffered text. */
  readonly flush = (): void => {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#pass(text);
  };

  /** Writes the buffered text, and stops listening for the end of the process. */
  [Symbol.dispose](): void {
    for (const event of ENDINGS) globalThis.removeEventListener(event, this.flush);
    this.flush();
  }
}

const ENDINGS = ["unload", "error", "unhandledrejection"] as const;
