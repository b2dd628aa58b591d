import assert from "node:assert/strict";
import { report } from "../lab/report.ts";
import { readMetrics } from "../lab/read_metrics.ts";
import { until } from "../lab/until.ts";
import { CHART, NAMESPACE, OTHER_TAINTS, TAINT } from "./cluster.ts";
import type { Pod } from "./pod.ts";
import { clusterSuite } from "./suite.ts";

const RELEASE = "eddy";
const WITH_TAINT = [...OTHER_TAINTS, TAINT].sort();

await clusterSuite("agents and a real API server", async (cluster, step) => {
  const { api } = cluster;
  await step("the chart is installed, with all features that use the API server", async () => {
    await api.helm(
      ...["install", RELEASE, CHART, "--namespace", NAMESPACE, "--create-namespace"],
      ...["--set", `eddy.startupTaint=${TAINT}`, "--set", "eddy.bootstrapKind=kubernetes"],
      ...["--set", "eddy.nodeTopology=true"],
    );
    for (const node of ["n1", "n2", "n3"]) await cluster.registerNode(node);
  });

  await step(
    "the taint goes once the agent is ready and the mirror configured, not before",
    async () => {
      await cluster.publish(RELEASE, []);
      const pod = await cluster.pod(RELEASE, "n1");
      await pod.start({ slow: true });
      await pod.untilLogged(/^node is known/);
      // The agent runs, knows its node and could remove the taint: only readiness is missing.
      let before = 0;
      const { elapsedMs } = await until(async () => {
        const taints = await cluster.taintsOf("n1");
        if (!taints.includes(TAINT)) return true;
        assert.deepEqual(taints, WITH_TAINT);
        if ((await pod.get("/readyz")).status === 503) before++;
        return false;
      }, { what: "the taint to be removed", intervalMs: 10 });
      // Looked at once: what is gone must not have gone too early.
      assert.equal((await pod.get("/readyz")).status, 200);
      assert((await mirrorFiles(pod)).includes("_default"), "the mirror configuration is written");
      assert(before >= 5, `seen with its taint and not ready ${before} times`);
      const ready = (await pod.log()).find(({ msg }) => msg === "eddy is ready");
      report(
        `start-up taint seen ${before} times while not ready; gone ${elapsedMs.toFixed(0)} ms ` +
          `after the node was known, ready ${ready?.["afterMs"]} ms after the start`,
      );
      assert.deepEqual(await cluster.taintsOf("n1"), OTHER_TAINTS);
      const lines = (await pod.log()).map(({ msg }) => String(msg));
      const order = ["mirror configuration is in place", "start-up taint removed"];
      const found = order.map((message) => lines.indexOf(message));
      assert.deepEqual(found, [...found].sort((a, b) => a - b), lines.join("\n"));
      assert(!found.includes(-1), lines.join("\n"));
      const known = (await pod.log()).find(({ msg }) => msg === "node is known");
      assert.equal(known?.["zone"], "zone-n1");
      assert.equal(known?.["region"], "lab");
    },
  );

  await step("three agents find each other through the endpoints of the service", async () => {
    const nodes = ["n1", "n2", "n3"];
    const pods = await Promise.all(nodes.map((node) => cluster.pod(RELEASE, node)));
    await cluster.publish(RELEASE, nodes);
    const started = performance.now();
    await Promise.all(pods.map((pod) => pod.start()));
    await Promise.all(pods.map((pod) => pod.untilReady()));
    for (const pod of pods) {
      await until(async () => (await readMetrics(pod.host)).sum("eddy_peers") === 2, {
        what: `the agent on ${pod.host.name} to know the two others`,
      });
    }
    report(
      `three agents know each other ${Math.round(performance.now() - started)} ms after start`,
    );
  });

  await step(
    "an agent whose token lacks the rights serves, says so, and goes on trying",
    async () => {
      await cluster.registerNode("n2");
      await api.do("POST", `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, {
        body: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "nobody" } },
      });
      const pod = await cluster.pod(RELEASE, "n2");
      await pod.start({
        token: await api.tokenOf({ namespace: NAMESPACE, name: "nobody" }),
      });
      await pod.untilReady();
      const line = await pod.untilLogged(/cannot read node n2: .*answered 403/);
      assert.match(String(line["msg"]), /nodes "n2" is forbidden/);
      assert.deepEqual(await cluster.taintsOf("n2"), WITH_TAINT);
      await serves(pod);
      assert(!JSON.stringify(await pod.log()).includes("eyJ"), "no token is logged");
    },
  );

  await step("a token that the server does not know is refused, and the agent serves", async () => {
    const pod = await cluster.pod(RELEASE, "n2");
    await pod.start({ token: "nonsense" });
    await pod.untilReady();
    await pod.untilLogged(/cannot read node n2: .*answered 401/);
    await serves(pod);
    assert(!JSON.stringify(await pod.log()).includes("nonsense"), "no token is logged");
  });

  await step(
    "an API server that hangs or dies changes nothing; back again, it is used",
    async () => {
      await cluster.registerNode("n3");
      const pod = await cluster.pod(RELEASE, "n3");
      await pod.start({ slow: true });
      await pod.untilLogged(/^node is known/);
      api.freeze(true);
      assert.equal((await pod.get("/readyz")).status, 503);
      await pod.untilReady();
      await pod.untilLogged(/cannot read node n3: .*not done within/);
      await serves(pod);
      api.freeze(false);
      await api.killServer();
      await pod.untilLogged(/cannot read node n3: .*ECONNREFUSED/);
      await serves(pod);
      await api.startServer();
      const { elapsedMs } = await until(
        async () => !(await cluster.taintsOf("n3")).includes(TAINT),
        { what: "the taint to be removed", timeoutMs: 90_000, intervalMs: 200 },
      );
      report(`start-up taint removed ${elapsedMs.toFixed(0)} ms after the API server was back`);
      await serves(pod);
    },
  );

  await step("an agent that starts while there is no API server is ready and serves", async () => {
    const pod = await cluster.pod(RELEASE, "n1");
    await api.killServer();
    try {
      await pod.start();
      await pod.untilReady();
      await serves(pod);
    } finally {
      await api.startServer();
    }
  });
});

/** A request that the agent can answer by itself: nobody has the blob, which it says at once. */
async function serves(pod: Pod): Promise<void> {
  const path = `/v2/library/none/blobs/sha256:${"0".repeat(64)}?ns=docker.io`;
  assert.equal((await pod.get(path)).status, 404);
  assert.equal((await pod.get("/readyz")).status, 200);
  assert(pod.running);
}

async function mirrorFiles(pod: Pod): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(pod.certsPath))).map(({ name }) => name);
}
