import assert from "node:assert/strict";
import { createClusterKey, readClusterKeys } from "../../lib/agent/cluster_key_file.ts";
import { StopStack } from "../../lib/agent/stop_stack.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";

const OLD = "o".repeat(44);
const NEW = "n".repeat(44);
const REQUEST = { method: "GET", path: "/v2/", peer: "other", address: "127.0.0.1" };

/** Puts a version of a Secret's volume in place, as the kubelet does: one rename of `..data`. */
async function publish(mount: string, version: string, text: string): Promise<void> {
  await Deno.mkdir(`${mount}/${version}`);
  await Deno.writeTextFile(`${mount}/${version}/cluster.key`, text);
  await Deno.symlink(version, `${mount}/..data_tmp`);
  await Deno.rename(`${mount}/..data_tmp`, `${mount}/..data`);
}

test("cluster key: a Secret's volume that is swapped under it", async () => {
  const mount = await Deno.makeTempDir({ prefix: "eddy-key-" });
  const log = new MemoryLog();
  const clock = new FakeClock();
  const stack = new StopStack(log);
  try {
    await publish(mount, "..1", OLD);
    await Deno.symlink("..data/cluster.key", `${mount}/cluster.key`);
    const config = configOf("agent", [`--cluster-key-file=${mount}/cluster.key`, "--dht-closed"]);
    const told: (readonly string[])[] = [];
    const router = { id: "self", replaceSecrets: (keys: readonly string[]) => told.push(keys) };
    const keys = await readClusterKeys(config);
    const key = createClusterKey(keys, config, { router, clock, log, stack });
    assert.ok(key);
    await publish(mount, "..2", `${NEW}\n${OLD}\n`);
    await Deno.remove(`${mount}/..1`, { recursive: true });
    const changed = () =>
      log.lines.some(({ message }) => message === "there are other cluster keys");
    for (let round = 0; round < 200 && !changed(); round++) {
      await clock.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(changed());
    assert.deepEqual(told, [[NEW, OLD]]);
    const verifies = async (text: string) => {
      const file = `${mount}/other.key`;
      await Deno.writeTextFile(file, text);
      const others = { ...config, clusterKeyFile: file };
      const other = createClusterKey(await readClusterKeys(others), others, {
        ...{ router: { ...router, id: "other" }, clock, log, stack },
      });
      const first = await key.sign(REQUEST);
      key.renew(REQUEST, first, new Headers(other?.refusal(new Headers(first.headers))));
      const { headers } = await key.sign(REQUEST);
      const id = await other?.verify({ ...REQUEST, headers: new Headers(headers) });
      return id !== undefined;
    };
    assert.deepEqual([await verifies(NEW), await verifies(OLD)], [true, false]);
    assert.doesNotMatch(JSON.stringify(log.lines), /o{44}|n{44}/);
  } finally {
    await stack.stop();
    await Deno.remove(mount, { recursive: true });
  }
});
