import { Buffer } from "node:buffer";

export const CR = 0x0d;
export const LF = 0x0a;
/** Ends a head. */
export const HEAD_END = "\r\n\r\n";
const TAB = 0x09;

/**
 * Whether the bytes cannot be a request head, so that waiting for its end is useless: a TLS
 * handshake (containerd tries one on an unknown scheme, and uses plain HTTP once it is answered in
 * plain HTTP), or lines that end with LF alone.
 */
export function cannotBeHead(buffer: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = buffer[at] ?? 0;
    if ((byte === LF) !== (buffer[at - 1] === CR)) return true;
    if (byte < 0x20 && byte !== CR && byte !== LF && byte !== TAB) return true;
  }
  return false;
}

/** End of the head, including its empty line; undefined if it has not arrived. */
export function endOfHead(buffer: Uint8Array, held: number, from: number): number | undefined {
  for (
    let at = buffer.indexOf(LF, from + 3);
    at >= 0 && at < held;
    at = buffer.indexOf(LF, at + 1)
  ) {
    const isEnd = buffer[at - 1] === CR && buffer[at - 2] === LF && buffer[at - 3] === CR;
    if (isEnd) return at + 1;
  }
  return undefined;
}

/** The first bytes, one character each. Not `TextDecoder`: its latin1 is windows-1252. */
export function textOf(buffer: Uint8Array<ArrayBuffer>, length: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset, length).toString("latin1");
}
