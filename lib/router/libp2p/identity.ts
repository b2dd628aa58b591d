import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { messageOf } from "../../async/thrown.ts";
import { ifPresent } from "../../files/if_present.ts";
import { readSmallFile } from "../../files/read_small_file.ts";
import { clearTemporaries, replaceFile } from "../../files/write_durably.ts";

/** Identity file in the data directory, named as Spegel's. */
const KEY_FILE = "private.key";
/** Upper bound of a PEM file of an Ed25519 key, bytes. */
const MAX_KEY_FILE_BYTES = 16 * 1024;

/**
 * Loads the node's identity: the Ed25519 key in `private.key` of the data directory (PKCS#8, PEM),
 * created if missing and readable by its owner only. Without a directory, a new identity.
 *
 * @throws {Error} with the file's name, if it cannot be read or written or holds no such key.
 */
export async function loadIdentity(dataDir?: string): Promise<PrivateKey> {
  if (dataDir === undefined || dataDir === "") return await toLibp2pKey(newKey());
  await clearTemporaries(dataDir);
  const file = join(dataDir, KEY_FILE);
  const pem = await readKeyFile(file) ?? await createKeyFile(file);
  return await parseIdentity(pem, file);
}

/** Parses a PEM file of an identity; `file` is its name in errors. */
export async function parseIdentity(pem: string, file: string): Promise<PrivateKey> {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new Error(
      `identity file ${file} is not a PKCS#8 private key in PEM form; restore it, or remove it to get a new identity`,
      { cause },
    );
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new Error(`identity file ${file} holds a ${key.asymmetricKeyType} key, want ed25519`);
  }
  return await toLibp2pKey(key);
}

function newKey(): KeyObject {
  return generateKeyPairSync("ed25519").privateKey;
}

async function toLibp2pKey(key: KeyObject): Promise<PrivateKey> {
  const { d } = key.export({ format: "jwk" });
  if (d === undefined) throw new Error("Ed25519 key has no private part");
  return await generateKeyPairFromSeed("Ed25519", new Uint8Array(Buffer.from(d, "base64url")));
}

async function readKeyFile(file: string): Promise<string | undefined> {
  try {
    return await ifPresent(readSmallFile(file, MAX_KEY_FILE_BYTES));
  } catch (cause) {
    throw new Error(`identity file ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

async function createKeyFile(file: string): Promise<string> {
  const pem = newKey().export({ format: "pem", type: "pkcs8" }).toString();
  try {
    await replaceFile(file, pem, { mode: 0o600, directoryMode: 0o700 });
  } catch (cause) {
    throw new Error(`identity file ${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
  return pem;
}
