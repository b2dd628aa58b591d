import assert from "node:assert/strict";
import { asCrypto } from "@chainsafe/libp2p-noise/crypto";
import { noiseCrypto } from "../../../lib/router/libp2p/noise_crypto.ts";
import { test } from "../../support/test.ts";

const KEY = new Uint8Array(32).fill(7);
const NONCE = new Uint8Array(12).fill(9);
const AD = new Uint8Array(0);

// This file also runs on the Deno that compiles the program, whose node:crypto lacks the cipher.
for (const bytes of [0, 1, 1_199, 1_200, 6_000, 65_519]) {
  test(`a message of ${bytes} bytes is sealed as everybody else does, and opened`, () => {
    const message = crypto.getRandomValues(new Uint8Array(bytes));
    const sealed = noiseCrypto().chaCha20Poly1305Encrypt(message, NONCE, AD, KEY).subarray();
    assert.deepEqual(
      [...sealed],
      [...asCrypto.chaCha20Poly1305Encrypt(message, NONCE, AD, KEY).subarray()],
    );
    const opened = noiseCrypto().chaCha20Poly1305Decrypt(sealed, NONCE, AD, KEY).subarray();
    assert.deepEqual([...opened], [...message]);
  });
}

test("a message that somebody changed is not opened", () => {
  const sealed = noiseCrypto().chaCha20Poly1305Encrypt(new Uint8Array(6_000), NONCE, AD, KEY)
    .subarray().slice();
  sealed.set([(sealed[3] ?? 0) ^ 1], 3);
  assert.throws(() => noiseCrypto().chaCha20Poly1305Decrypt(sealed, NONCE, AD, KEY));
});
