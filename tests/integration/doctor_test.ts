import assert from "node:assert/strict";
import { join } from "node:path";
import type { Check } from "../../lib/ports/check.ts";
import { freePorts } from "../support/free_ports.ts";
import { DoctorNode } from "./doctor_node.ts";
import {
  type ContainerdBinaries,
  type ContainerdSettings,
  testEachContainerd,
} from "./real_containerd.ts";

const LOOPBACK = "127.0.0.1";

/** Something that is wrong on a node, and what the doctor has to say about it. */
interface Misconfiguration {
  readonly name: string;
  /** Of these major versions of containerd only; default: of all. */
  readonly major?: 1 | 2;
  /** Settings that containerd is restarted with. */
  readonly containerd?: (node: DoctorNode) => ContainerdSettings;
  /** Does it; returns flags that the doctor is given besides. */
  readonly plant?: (node: DoctorNode) => Promise<readonly string[] | void>;
  /** Check that has to fail. */
  readonly check: string;
  readonly detail: RegExp;
  readonly fix: RegExp;
}

const MISCONFIGURATIONS: readonly Misconfiguration[] = [
  {
    name: "containerd reads another directory",
    containerd: ({ directory }) => ({ configPath: join(directory, "other") }),
    check: "config_path",
    detail: /reads registry hosts from .*other, not from .*certs\.d/,
    fix: /set config_path = ".*certs\.d" in section .* and restart containerd/,
  },
  {
    name: "containerd discards layers",
    containerd: () => ({ images: ["discard_unpacked_layers = true"] }),
    plant: () => Promise.resolve(["--keep-layers", "never"]),
    check: "layers are kept",
    detail: /has no layers to share/,
    fix: /discard_unpacked_layers = false/,
  },
  {
    name: "several directories in config_path, and the transfer service",
    major: 2,
    containerd: ({ certs, directory }) => ({ configPath: `${certs}:${join(directory, "other")}` }),
    check: "config_path",
    detail: /several directories .* no mirror is used/,
    fix: /config_path = ".*certs\.d" alone .* or use_local_image_pull = true/,
  },
  {
    name: "an agent that starts while several directories are taken for one",
    major: 2,
    containerd: ({ certs, directory }) => ({ configPath: `${certs}:${join(directory, "other")}` }),
    plant: (node) => node.another({ configures: true }),
    check: "agent",
    detail: /is not ready: waiting for .*requests of containerd/,
    fix: /check its log/,
  },
  {
    name: "a directory that is read earlier has a folder of the registry",
    containerd: ({ certs, directory, major }) => ({
      configPath: `${join(directory, "other")}:${certs}`,
      images: major === 2 ? ["use_local_image_pull = true"] : [],
    }),
    plant: ({ directory }) =>
      put(join(directory, "other/docker.io/hosts.toml"), 'server = "https://docker.io"\n'),
    check: "mirror configuration is used",
    detail: /for docker\.io containerd goes by .*other\/docker\.io\/hosts\.toml, and asks upstream/,
    fix: /move what is in .*other\/docker\.io to .*certs\.d/,
  },
  {
    name: "registry.mirrors beside config_path",
    containerd: () => ({
      registry: [
        '[plugins."CRI".registry.mirrors."docker.io"]',
        'endpoint = ["https://mirror.example"]',
      ],
    }),
    check: "containerd's configuration file",
    detail: /registry\.mirrors for docker\.io/,
    fix: /remove the registry\.mirrors sections/,
  },
  {
    name: "the CRI plugin does not start",
    containerd: () => ({
      registry: [
        '[plugins."CRI".registry.mirrors."docker.io"]',
        'endpoint = ["https://mirror.example"]',
      ],
    }),
    check: "CRI plugin",
    detail: /CRI plugin failed: .*mirrors/,
    fix: /remove the registry\.mirrors sections/,
  },
  ...["containerd's configuration file", "CRI plugin"].map((check): Misconfiguration => ({
    name: `TLS settings beside config_path, by the ${check}`,
    major: 1,
    containerd: () => ({
      registry: ['[plugins."CRI".registry.configs."harbor.example".tls]', "ca_file = '/ca.crt'"],
    }),
    check,
    detail: /configs with tls for harbor\.example|CRI plugin failed: .*configs\.tls/,
    fix: /hosts\.toml/,
  })),
  {
    name: "something else rewrote a hosts.toml",
    plant: ({ certs }) =>
      put(join(certs, "_default/hosts.toml"), '[host."https://cache.example"]\n'),
    check: "mirror configuration",
    detail: /_default\/hosts\.toml is not as this agent writes it/,
    fix: /eddy configure/,
  },
  {
    name: "an empty folder hides the default one",
    plant: ({ certs }) => Deno.mkdir(join(certs, "quay.io")),
    check: "mirror configuration is used",
    detail: /for quay\.io containerd goes by .*quay\.io, which has no hosts\.toml/,
    fix: /eddy configure/,
  },
  {
    name: "a hosts.toml that cannot be parsed",
    plant: ({ certs }) => put(join(certs, "quay.io/hosts.toml"), "[host\n"),
    check: "mirror configuration is used",
    detail: /quay\.io\/hosts\.toml cannot be read/,
    fix: /correct or remove/,
  },
  {
    name: "containerd is sent to a port where nobody listens",
    plant: async (node) => {
      const [dead = 0] = await freePorts(1);
      const flags = ["--mirror-targets", `http://${LOOPBACK}:${dead}`];
      await node.run("configure", ...flags, ...node.hostsFlags);
      return flags;
    },
    check: "mirror endpoint",
    detail: /the mirror endpoint of containerd, does not answer \(connection refused\)/,
    fix: /--registry-addr and --mirror-targets must match/,
  },
  {
    name: "containerd is sent to the agent of another node",
    plant: async (node) => {
      const flags = ["--mirror-targets", node.peerUrl];
      await node.run("configure", ...flags, ...node.hostsFlags);
      return flags;
    },
    check: "mirror endpoint is this node",
    detail: /^12 of 12 connections to http:\S+ end at agents of other nodes/,
    fix: /hostPort or hostNetwork/,
  },
  {
    name: "the socket of containerd is wrong",
    plant: ({ directory }) =>
      Promise.resolve(["--containerd-sock", join(directory, "no-containerd.sock")]),
    check: "containerd",
    detail: /does not answer/,
    fix: /--containerd-sock/,
  },
  {
    name: "the content path is another containerd's",
    plant: async ({ directory }) => {
      await Deno.mkdir(join(directory, "content/blobs"), { recursive: true });
      return ["--containerd-content-path", join(directory, "content")];
    },
    check: "content store",
    detail: /--containerd-content-path: got/,
    fix: /want the content directory of this containerd/,
  },
  {
    name: "no agent runs",
    plant: async () => {
      const [dead = 0] = await freePorts(1);
      return ["--metrics-addr", `${LOOPBACK}:${dead}`];
    },
    check: "agent",
    detail: /no agent answers at .* \(connection refused\)/,
    fix: /start it and check its log/,
  },
  {
    name: "the namespace is not kubelet's",
    plant: (node) => node.another({ flags: ["--containerd-namespace", "moby"] }),
    check: "canary pull",
    detail: /no image in containerd's namespace moby/,
    fix: /--containerd-namespace/,
  },
  {
    name: "bootstrap leads nowhere",
    plant: async (node) => {
      const [dead = 0] = await freePorts(1);
      return await node.another({ firstPeer: `${LOOPBACK}:${dead}` });
    },
    check: "peers",
    detail: /no other node is known; bootstrap is static/,
    fix: /--static-bootstrap-peers lists running nodes/,
  },
  {
    name: "the registry port of peers is closed",
    plant: async (node) => {
      const [dead = 0] = await freePorts(1);
      return await node.another({ registryPortOf: () => dead });
    },
    check: "ports of peers",
    detail: /1 of 1 peers do not answer.*connection refused/,
    fix: /open the registry port/,
  },
  {
    name: "this node's registry port is closed to peers",
    plant: (node) => node.withPeerThatCannotReachIt(),
    check: "this node from peers",
    detail: /could not get sha256:.* from here/,
    fix: /open the registry port .* and the router port/,
  },
];

async function put(path: string, text: string): Promise<void> {
  await Deno.mkdir(join(path, ".."), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** The doctor is asked again while the node still finds its peers after a change. */
async function examineUntil(
  node: DoctorNode,
  flags: readonly string[],
  settled: (checks: readonly Check[]) => boolean,
): Promise<{ code: number; checks: Check[] }> {
  const until = performance.now() + 20_000;
  while (true) {
    const found = await node.examine({ flags });
    if (settled(found.checks) || performance.now() > until) return found;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function suite(t: Deno.TestContext, binaries: ContainerdBinaries): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-doctor-" });
  const node = await DoctorNode.start(directory, binaries);
  const good = (checks: readonly Check[]) =>
    checks.every(({ state }) => state === "ok" || state === "skipped");
  try {
    await t.step("a good node: nothing is reported", async () => {
      await node.heal();
      const { code, checks } = await examineUntil(node, [], good);
      assert.deepEqual(checks.filter(({ state }) => state !== "ok"), []);
      assert.equal(code, 0);
      assert.ok(checks.length >= 14, checks.map(({ name }) => name).join());
    });
    await t.step("the table", async () => {
      const { code, stdout } = await node.run("doctor", ...node.doctorFlags);
      assert.equal(code, 0);
      assert.match(stdout, /^✓ containerd +answers at .*\n(✓ .*\n)+\nNothing is wrong\.\n$/);
    });
    await t.step("the agent's options need not be repeated", async () => {
      const { checks } = await node.examine({ options: node.leastFlags });
      assert.deepEqual(checks.filter(({ state }) => state !== "ok"), []);
    });
    await t.step("a good node that resolves no tags", async () => {
      await node.heal();
      const flags = await node.another({ flags: ["--resolve-tags=false"] });
      const { checks } = await examineUntil(node, flags, good);
      assert.deepEqual(checks.filter(({ state }) => !["ok", "skipped"].includes(state)), []);
      assert.match(
        checks.find(({ name }) => name === "canary pull")?.detail ?? "",
        /comes through/,
      );
    });
    let changed = false;
    for (const planted of MISCONFIGURATIONS) {
      if ((planted.major ?? binaries.major) !== binaries.major) continue;
      await t.step(planted.name, async () => {
        await node.heal();
        const settings = planted.containerd?.(node);
        if (settings !== undefined || changed) {
          await node.containerd.stop();
          await node.containerd.start(named(settings ?? {}, binaries.major));
          changed = settings !== undefined;
        }
        const flags = await planted.plant?.(node) ?? [];
        const failed = ({ name, state }: Check) => name === planted.check && state === "failed";
        const { code, checks } = await examineUntil(node, flags, (all) => all.some(failed));
        const found = checks.find(failed);
        assert.ok(found !== undefined, JSON.stringify(checks, null, 2));
        assert.match(found.detail, planted.detail);
        assert.match(found.fix, planted.fix);
        const used = checks.find(({ name }) => name === "mirror configuration is used");
        if (planted.check === "config_path") assert.equal(used?.state, "skipped", "one verdict");
        assert.equal(code, 1);
      });
    }
  } finally {
    await node.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

/** The CRI section has another name in each major version. */
function named(settings: ContainerdSettings, major: 1 | 2): ContainerdSettings {
  const cri = major === 1 ? "io.containerd.grpc.v1.cri" : "io.containerd.cri.v1.images";
  const registry = (settings.registry ?? []).map((line) => line.replace("CRI", cri));
  return { ...settings, registry };
}

await testEachContainerd(
  (major) => `doctor: planted misconfigurations with containerd ${major}.x`,
  suite,
  // Timers of libp2p outlive an agent by a second.
  (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false }),
);
