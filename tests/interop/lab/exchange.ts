import assert from "node:assert/strict";
import { digestOf } from "../../../lib/oci/digest.ts";
import type { HttpRequestOptions } from "../../e2e/lab/http_request.ts";
import { runCommand } from "../../e2e/lab/run_command.ts";
import { onHost } from "../../e2e/lab/network.ts";
import { until } from "../../e2e/lab/until.ts";
import type { InteropNode } from "./node.ts";
import type { NamedImage } from "../../e2e/lab/write_layout.ts";

const NAME = /^([^/]+)\/(.+):([^:/]+)$/;

/** Path of a manifest by tag, as containerd asks for it. */
export function tagPath({ name }: NamedImage): string {
  const [, registry, repository, tag] = NAME.exec(name) ?? [];
  return `/v2/${repository}/manifests/${tag}?ns=${registry}`;
}

/** Path of a manifest or blob by digest. */
export function digestPath({ name, image }: NamedImage, digest: string): string {
  const [, registry, repository] = NAME.exec(name) ?? [];
  const kind = image.manifests.some((manifest) => manifest.digest === digest)
    ? "manifests"
    : "blobs";
  return `/v2/${repository}/${kind}/${digest}?ns=${registry}`;
}

/** Waits until a node finds every part of an image that others hold. */
export async function untilFound(
  node: InteropNode,
  wanted: NamedImage,
  { tag = true, timeoutMs = 20_000 }: { tag?: boolean; timeoutMs?: number } = {},
): Promise<number> {
  const paths = wanted.image.pulled.map(({ digest }) => digestPath(wanted, digest));
  if (tag) paths.unshift(tagPath(wanted));
  const start = performance.now();
  for (const path of paths) {
    await until(async () => {
      const { status } = await node.request(path, { head: true });
      if (status !== 200) throw new Error(`status ${status}`);
      return true;
    }, { what: `${node.kind.name} on ${node.host.name} to find ${path}`, timeoutMs });
  }
  return performance.now() - start;
}

/** Pulls every part of an image through a node and compares it with what it must be. */
export async function pullAll(node: InteropNode, wanted: NamedImage): Promise<void> {
  for (const { digest, content } of wanted.image.pulled) {
    const path = digestPath(wanted, digest);
    const bytes = node.kind.mayMiss === true
      ? (await until(() => download(node, path), { what: `${node.kind.name} to get ${path}` }))
        .value
      : await download(node, path);
    assert.equal(digestOf(bytes), digest);
    assert.equal(bytes.length, content.length);
  }
}

/** The body of an answer. @throws {Error} if the status is not 200 or 206, or it breaks off. */
export async function download(
  node: InteropNode,
  path: string,
  { headers = {} }: Pick<HttpRequestOptions, "headers"> = {},
): Promise<Uint8Array> {
  const file = await Deno.makeTempFile({ prefix: "eddy-e2e-" });
  try {
    await runCommand(onHost(node.host, [
      ...["curl", "-sS", "--fail", "--noproxy", "*", "--max-time", "20", "-o", file],
      ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      `http://127.0.0.1:5000${path}`,
    ]));
    return await Deno.readFile(file);
  } finally {
    await Deno.remove(file);
  }
}
