import assert from "node:assert/strict";
import { join } from "node:path";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { loadIdentity, parseIdentity } from "../../../lib/router/libp2p/identity.ts";
import { inDirectory } from "../../support/temp_directory.ts";
import { test } from "../../support/test.ts";

// A key made for this test alone, and its peer id as go-libp2p 0.49.0 derives it
// (x509.ParsePKCS8PrivateKey, crypto.KeyPairFromStdKey, peer.IDFromPrivateKey).
const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEID/noQ/1cqkemdVwNm8pt2lkUFUjUGc5YxKsM3qohnFS
-----END PRIVATE KEY-----
`;
const PEER_ID = "12D3KooWEy9KWfkVHDvQNu2HnsBstNEJ6HPijJnsKepor4jQ51AG";

test("the same PEM file gives the same peer id as in Go", async () => {
  const key = await parseIdentity(PEM, "private.key");
  assert.equal(peerIdFromPrivateKey(key).toString(), PEER_ID);
});

test("an existing identity file is used and left alone", () =>
  inDirectory(async (directory) => {
    const file = join(directory, "private.key");
    await Deno.writeTextFile(file, PEM);
    const key = await loadIdentity(directory);
    assert.equal(peerIdFromPrivateKey(key).toString(), PEER_ID);
    assert.equal(await Deno.readTextFile(file), PEM);
  }));

test("a missing identity is created for its owner only, directories included, and kept", () =>
  inDirectory(async (directory) => {
    const deep = join(directory, "var", "eddy");
    const first = await loadIdentity(deep);
    const file = join(deep, "private.key");
    const { mode } = await Deno.stat(file);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    assert.match(await Deno.readTextFile(file), /^-----BEGIN PRIVATE KEY-----\n/);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(deep))).map(({ name }) => name), [
      "private.key",
    ]);
    assert((await loadIdentity(deep)).equals(first));
  }));

test("without a directory each identity is new", async () => {
  assert(!(await loadIdentity()).equals(await loadIdentity("")));
});

const PUBLIC = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;
const EC = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----
`;

const CORRUPT: { what: string; content: string; message: RegExp }[] = [
  { what: "nothing", content: "", message: /private\.key is not a PKCS#8 private key/ },
  { what: "noise", content: "hello", message: /private\.key is not a PKCS#8 private key/ },
  { what: "half a key", content: PEM.slice(0, 60), message: /private\.key is not a PKCS#8/ },
  { what: "a public key", content: PUBLIC, message: /private\.key is not a PKCS#8/ },
  {
    what: "another kind of key",
    content: EC,
    message: /private\.key holds a ec key, want ed25519/,
  },
  {
    what: "far too much",
    content: "x".repeat(20_000),
    message: /private\.key cannot be read: private\.key has more than/,
  },
];

for (const { what, content, message } of CORRUPT) {
  test(`an identity file that holds ${what} is named and not replaced`, () =>
    inDirectory(async (directory) => {
      const file = join(directory, "private.key");
      await Deno.writeTextFile(file, content);
      await assert.rejects(loadIdentity(directory), message);
      assert.equal(await Deno.readTextFile(file), content);
    }));
}

test("a directory that cannot be made is named", () =>
  inDirectory(async (directory) => {
    const file = join(directory, "file");
    await Deno.writeTextFile(file, "");
    await assert.rejects(
      loadIdentity(join(file, "data")),
      /identity file .*private\.key cannot be/,
    );
  }));
