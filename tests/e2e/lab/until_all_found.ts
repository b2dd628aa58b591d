import { httpRequest } from "./http_request.ts";
import type { Image } from "./image.ts";
import type { LabNode } from "./lab.ts";
import { until } from "./until.ts";

/**
 * Waits until a node finds so many holders of each part of an image: that one can be found does not
 * say that all can.
 */
export async function untilAllFound(
  { host }: Pick<LabNode, "host">,
  { pulled }: Image,
  holders: number,
): Promise<void> {
  for (const { digest } of pulled) await untilHolders({ host }, digest, holders);
}

/** Waits until a node finds so many holders of a digest, or of a tag (`registry/repository:tag`). */
export async function untilHolders(
  { host }: Pick<LabNode, "host">,
  key: string,
  holders: number,
): Promise<void> {
  await until(async () => {
    const url = `http://127.0.0.1:9090/debug/api/measure?image=${
      encodeURIComponent(key)
    }&pull=false`;
    const { body } = await httpRequest(host, url);
    const found = JSON.parse(body).peers.length;
    if (found < holders) throw new Error(`it finds ${found} of ${holders}`);
    return true;
  }, { what: `${host.name} to find all who have ${key}`, timeoutMs: 60_000 });
}
