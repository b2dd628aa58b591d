import type { RequestObserver, RequestRecord } from "../../ports/requests.ts";
import type { RequestEntry } from "./debug_source.ts";

export interface RequestRingOptions {
  /** Number of requests to keep; default 500. */
  capacity?: number;
  /** Source of timestamps; default: the system's. */
  now?: () => Date;
}

/** Keeps the last requests. */
export class RequestRing implements RequestObserver {
  readonly #capacity: number;
  readonly #now: () => Date;
  readonly #entries: RequestEntry[] = [];
  #next = 0;

  constructor({ capacity = 500, now = () => new Date() }: RequestRingOptions = {}) {
    this.#capacity = capacity;
    this.#now = now;
  }

  requestEnded(record: RequestRecord): void {
    this.#entries[this.#next] = { ...record, at: this.#now() };
    this.#next = (this.#next + 1) % this.#capacity;
  }

  newestFirst(): RequestEntry[] {
    const ordered = [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)];
    return ordered.reverse();
  }
}
