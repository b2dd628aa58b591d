import type { HttpAnswer, HttpRequestOptions } from "./http_request.ts";
import type { Image } from "./image.ts";
import { until } from "./until.ts";
import { UPSTREAM } from "./upstream.ts";

/** A node whose agent can be asked as its containerd does. */
export interface AskedNode {
  readonly host: { readonly name: string };
  readonly agent: {
    request(path: string, options?: HttpRequestOptions): Promise<HttpAnswer>;
  };
}

/** Settings of {@link untilFindable}. */
export interface UntilFindableOptions {
  /** Repository of the image. */
  repository: string;
  /** Also waits for this tag. */
  tag?: string;
  /** Looks at the config and the layers only, so that the agent sees no manifest. Default false. */
  blobsOnly?: boolean;
  /** Longest wait, ms. Default 20,000. */
  timeoutMs?: number;
}

/**
 * Waits until a node can get every part of an image, by asking its agent as containerd would, but
 * for the headers only.
 *
 * @returns how long that took, ms.
 */
export async function untilFindable(
  node: AskedNode,
  image: Image,
  options: UntilFindableOptions,
): Promise<number> {
  const { repository, tag, blobsOnly = false, timeoutMs = 20_000 } = options;
  const manifests = new Set(image.manifests.map(({ digest }) => digest));
  const paths = image.pulled
    .filter(({ digest }) => !blobsOnly || !manifests.has(digest))
    .map(({ digest }) => manifests.has(digest) ? `manifests/${digest}` : `blobs/${digest}`);
  if (tag !== undefined) paths.unshift(`manifests/${tag}`);
  const start = performance.now();
  for (const path of paths) {
    await until(async () => {
      const url = `/v2/${repository}/${path}?ns=${UPSTREAM}`;
      const { status } = await node.agent.request(url, { head: true });
      if (status !== 200) throw new Error(`status ${status}`);
      return true;
    }, { what: `${node.host.name} to find ${repository} ${path}`, timeoutMs, intervalMs: 20 });
  }
  return performance.now() - start;
}
