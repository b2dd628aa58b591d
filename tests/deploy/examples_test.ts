import assert from "node:assert/strict";
import { parse } from "yaml";
import { systemClock } from "../../lib/async/clock.ts";
// Opens what libp2p opens once for the whole process.
import "../router/cluster.ts";
import { configOf } from "../support/config_of.ts";
import { until } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { startLiveAgent } from "../support/live_agent.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

test("k8s-digester example: it touches pods alone, and never keeps one from starting", async () => {
  const url = new URL("../../deploy/examples/k8s-digester-pods.yaml", import.meta.url);
  const { kind, webhooks } = parse(await Deno.readTextFile(url));
  assert.equal(kind, "MutatingWebhookConfiguration");
  assert.equal(webhooks.length, 1);
  const [{ rules, failurePolicy, sideEffects, namespaceSelector }] = webhooks;
  assert.deepEqual(rules, [{
    apiGroups: [""],
    apiVersions: ["v1"],
    resources: ["pods"],
    operations: ["CREATE"],
    scope: "Namespaced",
  }]);
  assert.equal(failurePolicy, "Ignore");
  assert.equal(sideEffects, "None");
  assert.deepEqual(Object.keys(namespaceSelector.matchLabels), ["digest-resolution"]);
});

test("pre-pull example: its pods become ready, answer probes alone and touch nothing of the node", async () => {
  const url = new URL("../../deploy/examples/pre-pull.yaml", import.meta.url);
  const { spec: { template: { spec } } } = parse(await Deno.readTextFile(url));
  const [{ args, ports, readinessProbe, volumeMounts }, ...others] = spec.containers;
  assert.deepEqual(others, []);
  assert.equal(ports, undefined);
  assert.deepEqual(spec.volumes, [{ name: "layout", emptyDir: {} }]);
  assert.equal(spec.hostNetwork, undefined);
  const [{ mountPath }] = volumeMounts;
  const [command, ...flags] = args as string[];
  const config = configOf("agent", flags);
  assert.equal(command, "agent");
  assert.equal(config.registryAddr.host, "127.0.0.1");
  assert.equal(config.routerAddr.host, "127.0.0.1");
  assert.equal(config.metricsAddr.port, readinessProbe.httpGet.port);
  await inDirectory(async (directory) => {
    const ports = await freePorts(3);
    const own = flags.map((flag) =>
      flag.replace(mountPath, directory).replace(/:(\d+)$/, () => `:${ports.pop()}`)
    );
    const agent = await startLiveAgent(own, () => 0);
    try {
      const { pathname } = new URL(readinessProbe.httpGet.path, agent.metricsUrl);
      await until(async () => {
        const response = await fetch(`${agent.metricsUrl}${pathname}`);
        await response.body?.cancel();
        return response.status === 200;
      });
      assert.deepEqual(await Array.fromAsync(Deno.readDir(directory)), []);
    } finally {
      await agent.stop();
      // Timers of libp2p outlive an agent by a second.
      await systemClock.sleep(1100);
    }
  });
});
