import { Buffer } from "node:buffer";

/** Line ends. */
export const CR = 0x0d;
export const LF = 0x0a;
/** Ends a head. */
export const HEAD_END = "\r\n\r\n";
const TAB = 0x09;

/**
 * Whether something has arrived that no head has, so that its end need not be waited for: a TLS
 * handshake (containerd tries one where it does not know better, and asks in plain HTTP once it is
 * answered in plain HTTP), lines that end by LF alone.
 */
export function isNoHead(buffer: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = buffer[at] ?? 0;
    if ((byte === LF) !== (buffer[at - 1] === CR)) return true;
    if (byte < 0x20 && byte !== CR && byte !== LF && byte !== TAB) return true;
  }
  return false;
}

/** Where the head ends, its empty line included; undefined if it has not arrived. */
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

/** The first bytes, one character each: what `TextDecoder` calls latin1 is another encoding. */
export function textOf(buffer: Uint8Array<ArrayBuffer>, length: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset, length).toString("latin1");
}
