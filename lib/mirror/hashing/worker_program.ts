import type { createHash as CreateHash, Hash } from "node:crypto";
import * as ring from "./ring.ts";

/**
 * What the worker says: a hash in hexadecimal, of all or up to a mark, or that there is room again.
 */
export type WorkerMessage =
  | { readonly hash: number; readonly hex: string; readonly isMark?: boolean }
  | "room";

/** The part of the worker's global scope that is used. */
interface Scope {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: WorkerMessage): void;
  close(): void;
}

/**
 * The worker's program, as the URL of a module. It is made from the text of a function, since a
 * compiled and bundled executable holds no other module that a worker could be started from.
 */
export function workerUrl(): string {
  const source = `import { createHash } from "node:crypto";` +
    `(${serve.toString()})(globalThis, createHash, ${JSON.stringify({ ...ring, RingWriter: 0 })});`;
  return `data:application/javascript,${encodeURIComponent(source)}`;
}

/**
 * Hashes what it finds in the ring that the first message brings, until it is told to end. It must
 * not use anything of this module but its arguments.
 */
function serve(scope: Scope, createHash: typeof CreateHash, names: typeof ring): void {
  const hashes = new Map<number, Hash>();
  const work = (words: Int32Array, bytes: Uint8Array): void => {
    for (let read = 0;; read = (read + 1) | 0) {
      while (Atomics.load(words, names.WRITTEN) === read) Atomics.wait(words, names.WRITTEN, read);
      const slot = (read >>> 0) % names.SLOTS;
      const at = names.HEAD_WORDS + slot * names.SLOT_WORDS;
      const [what, hash = 0, length = 0] = words.subarray(at, at + names.SLOT_WORDS);
      if (what === names.EXIT) return scope.close();
      if (what === names.BEGIN_SHA256) hashes.set(hash, createHash("sha256"));
      if (what === names.BEGIN_SHA512) hashes.set(hash, createHash("sha512"));
      const start = slot * names.SLOT_BYTES;
      if (what === names.UPDATE) hashes.get(hash)?.update(bytes.subarray(start, start + length));
      Atomics.store(words, names.READ, (read + 1) | 0);
      if (Atomics.exchange(words, names.AWAITED, 0) === 1) scope.postMessage("room");
      if (what === names.MARK) {
        const hex = hashes.get(hash)?.copy().digest("hex") ?? "";
        scope.postMessage({ hash, hex, isMark: true });
      }
      if (what !== names.FINISH && what !== names.DROP) continue;
      if (what === names.FINISH) {
        scope.postMessage({ hash, hex: hashes.get(hash)?.digest("hex") ?? "" });
      }
      hashes.delete(hash);
    }
  };
  scope.onmessage = ({ data }) => {
    const memory = data as SharedArrayBuffer;
    const words = new Int32Array(memory, 0, names.HEAD_WORDS + names.SLOTS * names.SLOT_WORDS);
    work(words, new Uint8Array(memory, words.byteLength));
  };
}
