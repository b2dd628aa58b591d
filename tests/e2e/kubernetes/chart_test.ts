import assert from "node:assert/strict";
import { eddyCommand } from "../lab/eddy_command.ts";
import { onHost } from "../lab/network.ts";
import { readMetrics } from "../lab/read_metrics.ts";
import { readTree } from "../lab/read_tree.ts";
import { type CommandResult, runCommand } from "../lab/run_command.ts";
import { until } from "../lab/until.ts";
import { CHART, type Cluster, NAMESPACE, TAINT } from "./cluster.ts";
import { clusterSuite } from "./suite.ts";

const JSON_PATCH = "application/json-patch+json";
const IN_NAMESPACE = ["--namespace", NAMESPACE, "--create-namespace"];

/** Values that must give objects which the API server takes. */
const VARIANTS: readonly (readonly string[])[] = [
  [],
  ["service.registry.exposure=hostNetwork"],
  ["service.registry.exposure=NodePort"],
  ["service.registry.exposure=NodePort", "service.registry.internalTrafficLocal=true"],
  ["networkPolicy.enabled=true", "podDisruptionBudget.enabled=true"],
  ["grafanaDashboard.enabled=true", "serviceMonitor.enabled=false"],
  ["eddy.bootstrapKind=kubernetes"],
  [`eddy.startupTaint=${TAINT}`],
  [`eddy.startupTaint=${TAINT}`, "admissionPolicy.enabled=false"],
  ["eddy.nodeTopology=true", "eddy.containerdMirrorAdd=false", "eddy.persistence.enabled=false"],
  ["clusterKey.enabled=false"],
  ["clusterKey.existingSecret=own", "eddy.localClients={10.42.0.0/16}"],
  ["basicAuthSecretName=credentials", "eddy.containerdContentPath="],
  // As in a values file that was written for Spegel.
  ["spegel.mirroredRegistries={https://docker.io}", "spegel.registryFilters={.*:latest$}"],
  ["spegel.additionalMirrorTargets={http://zot:5000}", "spegel.logLevel=INFO"],
];

await clusterSuite("the chart and a real API server", async (cluster, step) => {
  const { api } = cluster;
  await step("every choice of values gives objects that the API server takes", async () => {
    for (const values of VARIANTS) {
      const set = values.flatMap((value) => ["--set", value]);
      await api.helm("install", "variant", CHART, ...IN_NAMESPACE, ...set, "--dry-run=server");
      await applyDry(cluster, set);
    }
  });

  await step("the manifests for those without Helm are taken, too", async () => {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "eddy" } };
    await api.do("POST", "/api/v1/namespaces", { body: namespace });
    for (const [file, kind] of [["eddy.yaml", "DaemonSet"], ["cleanup.yaml", "Job"]] as const) {
      const text = await Deno.readTextFile(`${CHART}/../../kubernetes/${file}`);
      assert((await api.applyDry(text, "eddy")).includes(kind), file);
    }
  });

  await step("without Kubernetes features there is no right at all, and no token", async () => {
    await api.helm("install", "plain", CHART, ...IN_NAMESPACE);
    const { body } = await api.do("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles");
    const names = body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
    assert(!names.some((name: string) => name.includes("eddy")), names.join());
    const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`;
    assert.deepEqual((await api.do("GET", roles)).body.items, []);
    const daemonSet = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/plain-eddy`;
    const { spec } = (await api.do("GET", daemonSet)).body.spec.template;
    assert.equal(spec.automountServiceAccountToken, false);
    const token = await api.tokenOf({ namespace: NAMESPACE, name: "plain-eddy" });
    await cluster.registerNode("n1");
    for (const path of ["/api/v1/nodes/n1", "/api/v1/pods", "/api/v1/secrets"]) {
      assert.equal((await api.request("GET", path, { token })).status, 403, path);
    }
    await api.helm("uninstall", "plain", "--namespace", NAMESPACE, "--no-hooks");
  });

  await step("the cluster key is made once, and survives upgrades", async () => {
    const path = `/api/v1/namespaces/${NAMESPACE}/secrets/keyed-eddy-cluster-key`;
    const key = async () => atob((await api.do("GET", path)).body.data["cluster.key"]);
    await api.helm("install", "keyed", CHART, ...IN_NAMESPACE);
    const made = await key();
    assert.match(made, /^[A-Za-z0-9+/]{43}=$/);
    await api.helm(
      "upgrade",
      "keyed",
      CHART,
      "--namespace",
      NAMESPACE,
      "--set",
      "eddy.logLevel=warn",
    );
    assert.equal(await key(), made);
    const rotated = `${"n".repeat(44)}\n${made}\n`;
    await api.do("PATCH", path, {
      contentType: "application/merge-patch+json",
      body: { data: { "cluster.key": btoa(rotated) } },
    });
    await api.helm("upgrade", "keyed", CHART, "--namespace", NAMESPACE);
    assert.equal(await key(), rotated, "what was written by hand is kept");
    await api.helm("uninstall", "keyed", "--namespace", NAMESPACE, "--no-hooks");
    assert.equal((await api.request("GET", path)).status, 404);
  });

  await step(
    "the rights are those that are needed, and a call beyond them is refused",
    async () => {
      await api.helm(
        ...["install", "eddy", CHART, ...IN_NAMESPACE],
        ...["--set", `eddy.startupTaint=${TAINT},eddy.bootstrapKind=kubernetes`],
      );
      await cluster.registerNode("n1");
      await cluster.registerNode("n2");
      const { token } = await cluster.pod("eddy", "n1");
      const nodeAt = (name: string) => `/api/v1/nodes/${name}`;
      const slices = (namespace: string) =>
        `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
      const taints: { key: string }[] = (await api.do("GET", nodeAt("n1"))).body.spec.taints;
      const removal = (key: string) => ({
        op: "remove",
        path: `/spec/taints/${taints.findIndex((taint) => taint.key === key)}`,
      });
      const own = removal(TAINT);
      const label = { op: "add", path: "/metadata/labels/role", value: "admin" };
      const cordon = { op: "add", path: "/spec/unschedulable", value: true };
      const cases: [status: number, method: string, path: string, patch?: unknown[]][] = [
        [200, "GET", nodeAt("n1")],
        [200, "GET", slices(NAMESPACE)],
        [200, "PATCH", `${nodeAt("n1")}?dryRun=All`, [own]],
        // Beyond: by RBAC.
        [403, "GET", "/api/v1/nodes"],
        [403, "GET", slices("default")],
        [403, "GET", `${slices(NAMESPACE)}/eddy-bootstrap-lab`],
        [403, "DELETE", `${nodeAt("n1")}?dryRun=All`],
        [403, "PATCH", `${nodeAt("n1")}/status?dryRun=All`, [label]],
        [403, "GET", `/api/v1/namespaces/${NAMESPACE}/secrets`],
        [403, "GET", `/api/v1/namespaces/${NAMESPACE}/pods`],
        // Beyond: by the admission policy.
        [403, "PATCH", `${nodeAt("n2")}?dryRun=All`, [own]],
        [403, "PATCH", `${nodeAt("n1")}?dryRun=All`, [removal("dedicated")]],
        [403, "PATCH", `${nodeAt("n1")}?dryRun=All`, [own, label]],
        [403, "PATCH", `${nodeAt("n1")}?dryRun=All`, [own, cordon]],
      ];
      // The policy takes effect a moment after it is there.
      await until(async () => {
        const path = `${nodeAt("n2")}?dryRun=All`;
        const options = { token, body: [own], contentType: JSON_PATCH };
        return (await api.request("PATCH", path, options)).status === 403;
      }, { what: "the admission policy to take effect" });
      for (const [status, method, path, patch] of cases) {
        const options = patch === undefined ? {} : { body: patch, contentType: JSON_PATCH };
        const answer = await api.request(method, path, { token, ...options });
        assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(patch ?? "")}`);
      }
    },
  );

  await step("two releases with prefixes and nodes of their own never meet", async () => {
    await api.helm(
      ...["install", "edge", CHART, ...IN_NAMESPACE, "--set", "eddy.bootstrapKind=kubernetes"],
      ...["--set", "eddy.dhtPrefix=/edge,service.registry.nodePort=30021"],
      ...["--set", "nodeSelector.region=edge"],
    );
    const [core, edge, other] = [
      await cluster.pod("eddy", "n1"),
      await cluster.pod("edge-eddy", "n2"),
      await cluster.pod("edge-eddy", "n3"),
    ];
    // Even though each is told of all.
    for (const release of ["eddy", "edge-eddy"]) await cluster.publish(release, ["n1", "n2", "n3"]);
    await Promise.all([core.start(), edge.start(), other.start()]);
    await Promise.all([core.untilReady(), edge.untilReady(), other.untilReady()]);
    const peersOf = async ({ host }: typeof core) => (await readMetrics(host)).sum("eddy_peers");
    await until(async () => await peersOf(edge) === 1 && await peersOf(other) === 1, {
      what: "the agents of one release to know each other",
    });
    assert.deepEqual([await peersOf(core), await peersOf(edge), await peersOf(other)], [0, 1, 1]);
    await api.helm("uninstall", "edge", "--namespace", NAMESPACE, "--no-hooks");
  });

  await step("deleting the release restores every node byte for byte, then is done", async () => {
    const agents = [await cluster.pod("eddy", "n1"), await cluster.pod("eddy", "n2")];
    const before: unknown[] = [];
    for (const agent of agents) {
      await Deno.mkdir(`${agent.certsPath}/registry.example`, { recursive: true });
      await Deno.writeTextFile(
        `${agent.certsPath}/registry.example/hosts.toml`,
        'server = "https://registry.example" # by hand\n',
      );
      before.push(await readTree(agent.certsPath));
    }
    await cluster.publish("eddy", ["n1", "n2"]);
    await Promise.all(agents.map((agent) => agent.start()));
    await Promise.all(agents.map((agent) => agent.untilReady()));
    for (const [index, agent] of agents.entries()) {
      assert.notDeepEqual(await readTree(agent.certsPath), before[index], "it is configured");
    }
    const uninstalled = api.helm("uninstall", "eddy", "--namespace", NAMESPACE, "--timeout", "90s");
    uninstalled.catch(() => {});
    const daemonSets = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets`;
    await untilStatus(cluster, `${daemonSets}/eddy-cleanup`, 200);
    assert.equal((await api.request("GET", `${daemonSets}/eddy`)).status, 404);
    const cleaners = [
      await cluster.pod("eddy-cleanup", "n1", agents[0]),
      await cluster.pod("eddy-cleanup", "n2", agents[1]),
    ];
    // The agents are told to stop late: what they put back meanwhile has to go, too.
    await Promise.all(cleaners.map((cleaner) => cleaner.start()));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const jobs = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs/eddy-cleanup-wait`;
    await untilStatus(cluster, jobs, 200);
    // A node that is not ready: its pod never starts.
    await cluster.pod("eddy-cleanup", "n3", agents[0]);
    await cluster.count("eddy-cleanup", 3);
    for (const node of ["n1", "n2"]) await cluster.setRunning("eddy-cleanup", node);
    await Promise.all(agents.map((agent) => agent.stop()));
    const missed = await runJob(cluster, jobs, "--timeout=5s");
    assert.equal(missed.code, 1, missed.stderr);
    assert.match(
      missed.stderr,
      /not cleaned up within 5 s: 1 of 3 nodes: n3 \(its pod is Pending\)/,
    );
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
    await api.do("DELETE", `${pods}/eddy-cleanup-n3?gracePeriodSeconds=0`);
    await cluster.count("eddy-cleanup", 2);
    const waited = await runJob(cluster, jobs);
    assert.equal(waited.code, 0, waited.stderr);
    await completeJob(cluster, jobs);
    await uninstalled;
    for (const [index, agent] of agents.entries()) {
      assert.deepEqual(await readTree(agent.certsPath), before[index]);
      await assert.rejects(Deno.stat(`${agent.directory}/data`), Deno.errors.NotFound);
    }
    assert.equal((await api.request("GET", jobs)).status, 404, "the hooks are gone");
    assert.equal((await api.request("GET", `${daemonSets}/eddy-cleanup`)).status, 404);
  });
});

/** Applies what the chart renders on the server's side, without keeping it. */
async function applyDry({ api }: Cluster, set: readonly string[]): Promise<void> {
  const rendered = await api.helm(
    ...["template", "variant", CHART, "--namespace", NAMESPACE, "--no-hooks", ...set],
    ...["--kube-version", "1.34.0"],
  );
  await api.request("POST", "/api/v1/namespaces", {
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
  });
  const applied = await api.applyDry(rendered, NAMESPACE);
  assert(applied.includes("DaemonSet"), applied.join());
}

async function untilStatus({ api }: Cluster, path: string, status: number): Promise<void> {
  await until(async () => (await api.request("GET", path)).status === status, {
    what: `${path} to be answered ${status}`,
  });
}

/** Runs the container of a job on the control plane's host, with the rights of its account. */
async function runJob(
  { api, network }: Cluster,
  path: string,
  ...more: string[]
): Promise<CommandResult> {
  const { spec } = (await api.do("GET", path)).body.spec.template;
  const token = await api.tokenOf({ namespace: NAMESPACE, name: spec.serviceAccountName });
  const kubeconfig = await Deno.makeTempFile({ prefix: "eddy-job-" });
  try {
    await Deno.writeTextFile(kubeconfig, await api.kubeconfigOf(token));
    const argv = [...spec.containers[0].args, `--kubeconfig=${kubeconfig}`, ...more];
    return await runCommand(onHost(network.host("api"), [...eddyCommand(), ...argv]), {
      ...{ timeoutMs: 60_000, allowFailure: true },
    });
  } finally {
    await Deno.remove(kubeconfig);
  }
}

/** Says of a job that it succeeded, as its controller would. */
async function completeJob({ api }: Cluster, path: string): Promise<void> {
  const time = new Date().toISOString();
  const condition = { status: "True", lastProbeTime: time, lastTransitionTime: time };
  await api.do("PATCH", `${path}/status`, {
    contentType: "application/merge-patch+json",
    body: {
      status: {
        startTime: time,
        completionTime: time,
        succeeded: 1,
        conditions: [
          { type: "SuccessCriteriaMet", ...condition },
          { type: "Complete", ...condition },
        ],
      },
    },
  });
}
