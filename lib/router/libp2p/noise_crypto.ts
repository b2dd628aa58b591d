import { asCrypto, defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import type { ICryptoInterface } from "@chainsafe/libp2p-noise";
import { createCipheriv } from "node:crypto";

/**
 * Noise's cryptography on this runtime.
 *
 * For messages of 1,200 bytes and more the library uses the runtime's ChaCha20-Poly1305 (RFC 8439),
 * which Deno 2.6 lacks: one such message would break its connection. The library's WebAssembly,
 * which handles small messages everywhere, then handles all sizes.
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
