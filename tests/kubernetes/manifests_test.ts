import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { parseClusterKeys } from "../../lib/access/cluster_key.ts";
import { OPTION_ROWS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import type { CommandName } from "../../lib/config/option.ts";
import { renderManifests } from "../../deploy/helm/render.ts";
import { VERSION } from "../../lib/version.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";
import { argsOf, CHART, helmTest, type Json, template } from "./helm.ts";

const ROOT = new URL("../../", import.meta.url);

helmTest("deploy/kubernetes is what it renders to (deno task render)", async (program) => {
  for (const [name, text] of Object.entries(await renderManifests(program))) {
    assert.equal(await Deno.readTextFile(new URL(`deploy/kubernetes/${name}`, ROOT)), text);
  }
});

helmTest("the program takes the arguments that it gives", async (program) => {
  const { objects } = await template(program, {
    eddy: {
      mirroredRegistries: ["https://docker.io", "registry.example:5000"],
      registryFilters: [".*:latest$", "^ghcr\\.io/"],
      additionalMirrorTargets: [
        "http://zot:5000",
        "{url: http://text:5000, skip_verify: true}",
        {
          url: "https://harbor.example/v2/hub",
          ca: "/etc/harbor.crt",
          header: { "X-Site": "a, }" },
        },
      ],
      startupTaint: "eddy.dev/starting",
      bootstrapKind: "kubernetes",
      nodeTopology: true,
      extraArgs: ["--log-level=debug"],
    },
  });
  const parse = (kind: string, name: string) => {
    const [command, ...args] = argsOf(objects, kind, name);
    const env = { NODE_NAME: "n1" };
    return parseConfig({ command: command as CommandName, args, env, readFile: () => "" });
  };
  const agent = parse("DaemonSet", "site-eddy");
  assert.deepEqual(agent.mirrorTargets, ["http://10.0.0.1:30020"]);
  assert.deepEqual(agent.mirroredRegistries, ["https://docker.io", "registry.example:5000"]);
  assert.deepEqual(agent.registryFilters, [".*:latest$", "^ghcr\\.io/"]);
  assert.deepEqual(agent.additionalMirrorRegistries, [
    "http://zot:5000",
    { url: "http://text:5000", ca: [], skipVerify: true, header: {} },
    {
      ...{ url: "https://harbor.example/v2/hub", ca: ["/etc/harbor.crt"], skipVerify: false },
      header: { "X-Site": ["a, }"] },
    },
  ]);
  assert.equal(agent.startupTaint, "eddy.dev/starting");
  assert.equal(agent.kubernetesBootstrapService, "site-eddy-bootstrap");
  assert.equal(agent.kubernetesBootstrapNamespace, "ns");
  assert.equal(agent.logLevel, "debug");
  assert.equal(agent.prependExisting, true);
  assert.deepEqual(parse("DaemonSet", "site-eddy-cleanup").addr, { host: "", port: 8080 });
  const wait = parse("Job", "site-eddy-cleanup-wait");
  assert.equal(wait.probeEndpoint, "site-eddy-cleanup.ns.svc.cluster.local.:8080");
  assert.equal(wait.probeDaemonset, "ns/site-eddy-cleanup");
  const job = objects.find(({ kind }) => kind === "Job").spec;
  // Past that, the log that names the missed nodes would be gone with the pod.
  assert(wait.timeout < job.activeDeadlineSeconds * 1000);
});

helmTest("a values file for Spegel works, its key goes before Eddy's", async (program) => {
  const { objects, success, stderr } = await template(program, {
    image: { pullPolicy: "Always" },
    service: { registry: { port: 5000, nodePort: 30025, nodeIp: "" } },
    serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
    grafanaDashboard: { enabled: true },
    spegel: {
      logLevel: "WARN",
      mirroredRegistries: ["https://docker.io", "https://ghcr.io"],
      additionalMirrorTargets: [],
      mirrorResolveRetries: 4,
      mirrorResolveTimeout: "50ms",
      containerdSock: "/run/k3s/containerd/containerd.sock",
      containerdNamespace: "k8s.io",
      containerdRegistryConfigPath: "/var/lib/rancher/k3s/agent/etc/containerd/certs.d",
      containerdContentPath:
        "/var/lib/rancher/k3s/agent/containerd/io.containerd.content.v1.content",
      containerdMirrorAdd: true,
      resolveTags: false,
      registryFilters: [".*:latest$"],
      prependExisting: false,
      debugWebEnabled: false,
      persistence: { enabled: true, path: "/var/lib/spegel", hostPath: "/var/lib/spegel" },
    },
  });
  assert(success, stderr);
  const args = argsOf(objects, "DaemonSet", "site-eddy");
  for (
    const arg of [
      "--log-level=WARN",
      "--mirror-targets=http://10.0.0.1:30025",
      "--mirrored-registries=https://ghcr.io",
      "--mirror-resolve-retries=4",
      "--resolve-tags=false",
      "--prepend-existing=false",
      "--debug-web-enabled=false",
      "--data-dir=/var/lib/spegel",
    ]
  ) {
    assert(args.includes(arg), arg);
  }
  const daemonSet = objects.find(({ kind, metadata }) =>
    kind === "DaemonSet" && metadata.name === "site-eddy"
  );
  const { volumes, containers } = daemonSet.spec.template.spec;
  const mounts = containers[0].volumeMounts;
  // k3s replaces the directory itself, so the one above is mounted; only that is writable.
  const config = mounts.find(({ name }: Json) => name === "containerd-config");
  assert.equal(config.mountPath, "/var/lib/rancher/k3s/agent/etc/containerd");
  const writable = mounts.filter(({ readOnly }: Json) => readOnly !== true);
  assert.deepEqual(writable.map(({ name }: Json) => name), ["containerd-config", "data"]);
  assert.equal(volumes.length, 6);
  assert(objects.some(({ kind }) => kind === "ServiceMonitor"));
});

helmTest("the way to upstream: the node's authorities, further ones, proxies", async (program) => {
  const extraCA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const proxy = { http: "http://p:1", https: "http://p:2", noProxy: "10.0.0.0/8" };
  const { objects } = await template(program, { extraCA, proxy });
  const daemonSet = objects.find(({ kind }) => kind === "DaemonSet");
  const { containers, volumes } = daemonSet.spec.template.spec;
  const [agent] = containers;
  const config = objects.find(({ metadata }) => metadata.name.endsWith("-extra-ca"));
  assert.equal(config.data["ca.crt"], extraCA);
  const directory = agent.volumeMounts.find(({ name }: Json) => name === "extra-ca").mountPath;
  const authorities = agent.args.filter((arg: string) => arg.startsWith("--upstream-ca="));
  assert.deepEqual(authorities, ["--upstream-ca=system:/host", `--upstream-ca=${directory}`]);
  const etc = volumes.find(({ name }: Json) => name === "node-etc");
  // Any other type would create what is not there.
  assert.deepEqual(etc.hostPath, { path: "/etc", type: "Directory" });
  const mount = agent.volumeMounts.find(({ name }: Json) => name === "node-etc");
  assert.deepEqual(mount, { name: "node-etc", mountPath: "/host/etc", readOnly: true });
  const env = Object.fromEntries(agent.env.map(({ name, value }: Json) => [name, value]));
  assert.deepEqual([env.HTTP_PROXY, env.HTTPS_PROXY, env.NO_PROXY], Object.values(proxy));

  const without = (await template(program, { nodeCA: { enabled: false } })).objects;
  const text = JSON.stringify(without);
  for (const none of ["node-etc", "extra-ca", "--upstream-ca", "PROXY"]) {
    assert(!text.includes(none), none);
  }
});

helmTest("a cluster key, and who is a local client", async (program) => {
  const cases: [values: Json, secret: string | undefined, made: boolean, localClients: string[]][] =
    [
      [{}, "site-eddy-cluster-key", true, ["10.0.0.1", "gateway"]],
      [{ service: { registry: { exposure: "NodePort" } } }, "site-eddy-cluster-key", true, [
        "10.0.0.1",
        "gateway",
      ]],
      [{ eddy: { localClients: ["10.9.0.0/16"] } }, "site-eddy-cluster-key", true, [
        "10.0.0.1",
        "gateway",
        "10.9.0.0/16",
      ]],
      [{ service: { registry: { exposure: "hostNetwork" } } }, "site-eddy-cluster-key", true, []],
      [{ clusterKey: { existingSecret: "own" } }, "own", false, ["10.0.0.1", "gateway"]],
      [{ clusterKey: { enabled: false } }, undefined, false, ["10.0.0.1", "gateway"]],
      // As of an older chart, by `helm upgrade --reuse-values`.
      [{ clusterKey: null }, undefined, false, ["10.0.0.1", "gateway"]],
    ];
  for (const [values, secret, made, localClients] of cases) {
    const { objects, success, stderr } = await template(program, values);
    assert(success, stderr);
    const secrets = objects.filter(({ kind }) => kind === "Secret");
    assert.deepEqual(secrets.map(({ metadata }) => metadata.name), made ? [secret] : []);
    for (const { data } of secrets) {
      const [key = "", ...more] = parseClusterKeys(atob(data["cluster.key"]));
      assert.equal(atob(key).length, 32);
      assert.deepEqual(more, []);
    }
    const [command, ...args] = argsOf(objects, "DaemonSet", "site-eddy");
    const agent = parseConfig({
      ...{ command: command as CommandName, args, env: {}, readFile: () => "" },
    });
    assert.deepEqual(agent.localClients, localClients);
    const daemonSet = objects.find(({ kind, metadata }) =>
      kind === "DaemonSet" && metadata.name === "site-eddy"
    );
    const { containers, volumes } = daemonSet.spec.template.spec;
    const volume = volumes.find(({ name }: Json) => name === "cluster-key");
    const mount = containers[0].volumeMounts.find(({ name }: Json) => name === "cluster-key");
    if (secret === undefined) {
      assert.deepEqual([volume, mount, agent.clusterKeyFile], [undefined, undefined, undefined]);
    } else {
      assert.deepEqual(volume.secret, { secretName: secret, defaultMode: 0o400 });
      assert.equal(mount.readOnly, true);
      assert.equal(agent.clusterKeyFile, `${mount.mountPath}/cluster.key`);
    }
  }
  const { success, stderr } = await template(program, { clusterKey: { create: false } });
  assert(!success);
  assert.match(stderr, /clusterKey: name a Secret by existingSecret/);
});

helmTest("certificates of peers are mounted where the agent reads them", async (program) => {
  const { objects } = await template(program, { peerTls: { secretName: "own", port: 6443 } });
  const [, ...args] = argsOf(objects, "DaemonSet", "site-eddy");
  const agent = configOf("agent", args);
  const { containers, volumes } = objects.find(({ kind }) => kind === "DaemonSet").spec.template
    .spec;
  const named = ({ name }: Json) => name === "peer-tls";
  assert.equal(agent.peerTlsDir, containers[0].volumeMounts.find(named).mountPath);
  assert.deepEqual([agent.peerTlsAddr.port, agent.peerTlsName], [6443, "eddy"]);
  assert.equal(agent.peerTlsMode, "require");
  assert.equal(containers[0].ports.find(named).containerPort, 6443);
  assert.deepEqual(volumes.find(named).secret, { secretName: "own", defaultMode: 0o400 });
  for (const values of [{}, { peerTls: null }]) {
    const without = await template(program, values);
    const [, ...flags] = argsOf(without.objects, "DaemonSet", "site-eddy");
    assert.deepEqual(flags.filter((flag) => flag.includes("tls")), []);
  }
});

helmTest("the index is closed only where there is a key", async (program) => {
  for (const dhtClosed of [true, false]) {
    const { objects } = await template(program, { eddy: { dhtClosed } });
    const [, ...args] = argsOf(objects, "DaemonSet", "site-eddy");
    const agent = configOf("agent", args);
    assert.equal(agent.dhtClosed, dhtClosed);
  }
  const { success, stderr } = await template(program, {
    ...{ eddy: { dhtClosed: true }, clusterKey: { enabled: false } },
  });
  assert(!success);
  assert.match(stderr, /eddy.dhtClosed: needs a cluster key/);
});

helmTest(
  "containerd's configuration file is mounted where it is beside certs.d",
  async (program) => {
    const k3s = "/var/lib/rancher/k3s/agent/etc/containerd/certs.d";
    const cases: [Json, boolean][] = [
      [{}, true],
      [{ eddy: { containerdMirrorAdd: false } }, false],
      [{ eddy: { containerdRegistryConfigPath: k3s } }, false],
      [{ eddy: { containerdRegistryConfigPath: "/opt/certs.d" } }, false],
    ];
    for (const [values, isMounted] of cases) {
      const { objects } = await template(program, values);
      const { containers } = objects.find(({ kind }) => kind === "DaemonSet").spec.template.spec;
      const mount = containers[0].volumeMounts
        .find(({ name }: Json) => name === "containerd-settings");
      const expected = { name: mount?.name, mountPath: "/etc/containerd", readOnly: true };
      assert.deepEqual(mount, isMounted ? expected : undefined, JSON.stringify(values));
    }
  },
);

helmTest(
  "the cleanup removes the data directory's files, unless it is to keep them",
  async (program) => {
    const path = "/var/lib/spegel";
    const cases: [Json, string | undefined][] = [
      [{}, "/var/lib/eddy"],
      [{ eddy: { persistence: { path } } }, path],
      [{ cleanup: { removeData: false } }, undefined],
      [{ eddy: { persistence: { enabled: false } } }, undefined],
    ];
    for (const [values, directory] of cases) {
      const { objects } = await template(program, values);
      const [, ...args] = argsOf(objects, "DaemonSet", "site-eddy-cleanup");
      assert.equal(configOf("cleanup", args).dataDir, directory);
      const pods = objects.filter(({ kind }) => kind === "DaemonSet");
      const { containers } = pods.find(({ metadata }) => metadata.name.endsWith("-cleanup"))
        .spec.template.spec;
      const mount = containers[0].volumeMounts.find(({ name }: Json) => name === "data");
      assert.equal(mount?.mountPath, directory);
    }
  },
);

helmTest("a NodePort leads to the node's own agent, or is refused", async (program) => {
  const exposed = { service: { registry: { exposure: "NodePort" } } };
  const { objects } = await template(program, exposed);
  const { spec } = objects.find(({ kind, spec }) => kind === "Service" && spec.type === "NodePort");
  assert.equal(spec.trafficDistribution, "PreferSameNode");
  const older = await template(program, exposed, "1.33.5");
  assert(!older.success);
  assert.match(
    older.stderr,
    /service\.registry\.exposure: NodePort .* on Kubernetes v1\.33\.5, want 1\.34 .*hostPort/,
  );
  assert((await template(program, {}, "1.33.5")).success);
});

helmTest(
  "alerts are of the release's own metrics, and lead to the page that is named",
  async (program) => {
    const page = "https://eddy.example/operations";
    const { objects } = await template(program, {
      prometheusRule: { enabled: true, labels: { team: "a" }, runbookUrl: page },
    });
    const rule = objects.find(({ kind }) => kind === "PrometheusRule");
    assert.equal(rule.metadata.labels.team, "a");
    const [down, ...others] = rule.spec.groups[0].rules;
    assert.equal(down.expr, 'up{job="site-eddy"} == 0');
    for (const { annotations } of [down, ...others]) {
      assert(annotations.runbook_url.startsWith(`${page}#eddy`), annotations.runbook_url);
    }
  },
);

helmTest("two releases have no name in common", async (program) => {
  const names = async (release: string) => {
    const { stdout } = await new Deno.Command(program, {
      args: [
        ...["template", release, CHART, "-n", "ns", "--kube-version", "1.34.0"],
        ...["--set", "eddy.startupTaint=a/b,eddy.bootstrapKind=kubernetes"],
      ],
    }).output();
    return parseAllDocuments(new TextDecoder().decode(stdout))
      .map((document) => document.toJS())
      .filter((object: Json) => object !== null)
      .map(({ kind, metadata }: Json) => `${kind}/${metadata.name}`);
  };
  const [north, south] = [await names("north"), await names("south")];
  assert.equal(north.length, south.length);
  assert.deepEqual(north.filter((name) => south.includes(name)), []);
  assert.equal(new Set(north).size, north.length);
});

helmTest("mistakes in values are named before anything is applied", async (program) => {
  const cases: [values: unknown, want: RegExp][] = [
    [{ eddy: { logLevl: "info" } }, /logLevl/],
    [{ eddy: { bootstrapKind: "gossip" } }, /bootstrapKind/],
    [{ eddy: { additionalMirrorTargets: [{ ca: "/a" }] } }, /additionalMirrorTargets/],
    [{ eddy: { additionalMirrorTargets: [{ url: "http://a", insecure: true }] } }, /additional/],
    [{ spegel: { mirrorResolveTimeout: "20" } }, /mirrorResolveTimeout/],
    [{ service: { registry: { exposure: "LoadBalancer" } } }, /exposure/],
    [{ service: { registry: { nodePort: 70000 } } }, /nodePort/],
    [{ eddy: { startupTaint: "a=b:NoSchedule" } }, /startupTaint/],
    [{ clusterKey: { secret: "own" } }, /clusterKey/],
    [{ tolerationz: [] }, /tolerationz/],
  ];
  for (const [values, want] of cases) {
    const { success, stderr } = await template(program, values);
    assert(!success, JSON.stringify(values));
    assert.match(stderr, want);
  }
});

test("chart: its version is the program's, and each of its flags exists", async () => {
  const chart = await Deno.readTextFile(`${CHART}/Chart.yaml`);
  assert.match(chart, new RegExp(`^version: ${VERSION}$`, "m"));
  assert.match(chart, new RegExp(`^appVersion: ${VERSION}$`, "m"));
  for (const file of ["daemonset", "cleanup"]) {
    const text = await Deno.readTextFile(`${CHART}/templates/${file}.yaml`);
    const flags = [...text.matchAll(/- (?:\{\{ printf ")?--([a-z-]+)/g)].map(([, flag]) => flag);
    assert(flags.length > 1);
    for (const flag of flags) assert(OPTION_ROWS.some((row) => row.flag === flag), flag);
  }
});
