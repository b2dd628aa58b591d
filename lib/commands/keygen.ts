import { randomBytes } from "node:crypto";
import type { Config } from "../config/options.ts";
import type { CommandIo } from "./io.ts";

/** 256 bits, the key size of HS256 (RFC 7518, section 3.2). */
const KEY_BYTES = 32;

/** Prints a new cluster key. */
export function keygenCommand(_config: Config, io: CommandIo): number {
  io.stdout(`${randomBytes(KEY_BYTES).toString("base64")}\n`);
  return 0;
}
