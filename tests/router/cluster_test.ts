import assert from "node:assert/strict";
import { test } from "../support/test.ts";
import { Cluster, findsExactly, lookupAll } from "./cluster.ts";

test("two nodes: what one advertises the other finds, with address and registry port", async () => {
  await using cluster = await Cluster.of(2);
  const [a, b] = cluster.nodes;
  assert(a && b);
  await a.router.advertise(["docker.io/library/nginx:1.27"]);
  await findsExactly(b, "docker.io/library/nginx:1.27", [a]);
  const [peer] = await lookupAll(b, "docker.io/library/nginx:1.27");
  assert.deepEqual(peer?.addresses, ["127.0.0.1"]);
  const port = Number(/tcp\/(\d+)/.exec(a.router.listenAddresses[0] ?? "")?.[1]);
  assert.equal(peer?.registryPort, port - 1);
});
