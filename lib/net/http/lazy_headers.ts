import type { RequestHead } from "./request_head.ts";

/** The read-only part of Headers. */
type ReadonlyHeaders = Omit<Headers, "append" | "delete" | "set">;

/**
 * Headers of a request. Handlers read four or five by name, which is faster than constructing the
 * runtime's object; that is made only for iteration.
 */
class LazyHeaders implements ReadonlyHeaders {
  readonly #fields: RequestHead["fields"];
  #all: Headers | undefined;

  constructor(fields: RequestHead["fields"]) {
    this.#fields = fields;
  }

  get(name: string): string | null {
    const wanted = name.toLowerCase();
    let found: string | null = null;
    for (const [key, value] of this.#fields) {
      if (key === wanted) found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  getSetCookie(): string[] {
    return this.#whole.getSetCookie();
  }

  forEach(callback: (value: string, key: string, parent: Headers) => void): void {
    this.#whole.forEach(callback);
  }

  keys(): ReturnType<Headers["keys"]> {
    return this.#whole.keys();
  }

  values(): ReturnType<Headers["keys"]> {
    return this.#whole.values();
  }

  entries(): ReturnType<Headers["entries"]> {
    return this.#whole.entries();
  }

  [Symbol.iterator](): ReturnType<Headers["entries"]> {
    return this.entries();
  }

  get #whole(): Headers {
    return this.#all ??= new Headers(this.#fields.map(([name, value]) => [name, value]));
  }
}

Object.setPrototypeOf(LazyHeaders.prototype, Headers.prototype);

/** The fields as read-only headers. */
export function lazyHeaders(fields: RequestHead["fields"]): Headers {
  return new LazyHeaders(fields) as unknown as Headers;
}
