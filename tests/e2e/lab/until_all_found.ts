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
  for (const { digest } of pulled) {
    await until(async () => {
      const url = `http://127.0.0.1:9090/debug/api/measure?image=${digest}&pull=false`;
      const { body } = await httpRequest(host, url);
      const found = JSON.parse(body).peers.length;
      if (found < holders) throw new Error(`it finds ${found} of ${holders}`);
      return true;
    }, { what: `${host.name} to find all who have ${digest}`, timeoutMs: 60_000 });
  }
}
