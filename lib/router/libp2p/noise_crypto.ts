import { asCrypto, defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import type { ICryptoInterface } from "@chainsafe/libp2p-noise";
import { createCipheriv } from "node:crypto";

/**
 * The cryptography of Noise as this runtime can do it.
 *
 * The library leaves messages of 1,200 bytes and more to the runtime's own ChaCha20-Poly1305
 * (RFC 8439), which Deno 2.6 lacks: there a single such message ends its connection. Without it
 * the library's WebAssembly takes all sizes, as it takes the small ones everywhere.
 */
export function noiseCrypto(): ICryptoInterface {
  return hasNativeCipher() ? defaultCrypto : {
    ...defaultCrypto,
    chaCha20Poly1305Encrypt: asCrypto.chaCha20Poly1305Encrypt,
    chaCha20Poly1305Decrypt: asCrypto.chaCha20Poly1305Decrypt,
  };
}

function hasNativeCipher(): boolean {
  try {
    createCipheriv("chacha20-poly1305", new Uint8Array(32), new Uint8Array(12), {
      authTagLength: 16,
    }).final();
    return true;
  } catch {
    return false;
  }
}
