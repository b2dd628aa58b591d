import { type Digest, splitDigest } from "../../../lib/oci/digest.ts";
import type { Containerd } from "../../e2e/lab/containerd.ts";

/** Flips a bit in the middle of what a containerd holds on its disk, as a disk does. */
export async function flipBit({ contentPath }: Containerd, digest: Digest): Promise<void> {
  const { algorithm, hex } = splitDigest(digest);
  const path = `${contentPath}/blobs/${algorithm}/${hex}`;
  // containerd makes its content read-only.
  await Deno.chmod(path, 0o644);
  using file = await Deno.open(path, { read: true, write: true });
  const at = Math.floor((await file.stat()).size / 2);
  const byte = new Uint8Array(1);
  await file.seek(at, Deno.SeekMode.Start);
  await file.read(byte);
  await file.seek(at, Deno.SeekMode.Start);
  await file.write(byte.map((value) => value ^ 1));
}
