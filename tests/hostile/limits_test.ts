import assert from "node:assert/strict";
import { Agent } from "../e2e/lab/agent.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { eddyCommand } from "../e2e/lab/eddy_command.ts";
import { fromPeers } from "../e2e/lab/from_peers.ts";
import { httpRequest } from "../e2e/lab/http_request.ts";
import type { Lab } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { publish } from "../e2e/lab/publish.ts";
import { report } from "../e2e/lab/report.ts";
import { runCommand } from "../e2e/lab/run_command.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { until } from "../e2e/lab/until.ts";
import { untilFindable } from "../e2e/lab/until_findable.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { casesOf, testWith } from "../support/test.ts";
import { Flood, heardAt, PORTS } from "./lab/flood.ts";
import { Pod } from "./lab/pod.ts";
import { contentOf, LayoutNode, manifestOf, PEER } from "./layout_node.ts";
import { play } from "./play.ts";

/** How long an attack lasts, ms, and how often the agent is looked at meanwhile. */
const ATTACK_MS = 60_000;
const LOOK_MS = 2000;
const GROWTH_MIB = 64;
const TLS_PORT = 5443;
/** Clients of another host that connect one after the other during an attack. */
const NEWCOMERS = 8;
const LAYERS = [300_000, 20_000_000];
/** As large as manifests may be, nearly. */
const LARGE_MANIFEST = 4_000_000;
const UNREAD = 100;
const LARGE_LAYER = 64 * 1024 * 1024;
/** Everybody may have everything: what is looked at here are connections. */
const OPEN = ["--private-images", "share", "--tag-policy", "peer"];

const { current } = containerdReleases();
const files = await writeSecrets();
const temporary = await Deno.makeTempDir({ prefix: "eddy-hostile-" });
addEventListener("unload", () => {
  files[Symbol.dispose]();
  Deno.removeSync(temporary, { recursive: true });
});

for (const withKey of [true, false]) {
  const how = withKey ? "with" : "without";
  const keyFlags = withKey ? ["--cluster-key-file", files.clusterKey] : [];
  await labSuite(
    `hostile: who holds connections, ${how} a cluster key`,
    {
      id: `lim-${withKey ? "k" : "n"}`,
      releases: [current, current],
      strangers: ["evil"],
      withoutAgents: true,
      tools: ["prlimit"],
      lacking: await missingOpenssl(),
    },
    async (lab, step) => {
      const certificates = `${temporary}/${how}`;
      const authority = await Authority.make(`${certificates}/authority`);
      await authority.issue(`${certificates}/node`, "eddy");
      const flags = [
        ...[...keyFlags, ...OPEN, "--peer-tls-dir", `${certificates}/node`],
        ...["--http-bootstrap-addr", ":5002", "--bootstrap-kind", "http"],
        ...["--http-bootstrap-url", `http://${lab.node(2).host.address}:5002/id`],
      ];
      await using other = agentOf(lab, 2, flags);
      await other.start();
      await play(step, "fewFiles", { withKey }, async () => {
        await using agent = agentOf(lab, 1, flags, 64);
        await agent.start();
        return await holdFew(lab, agent);
      });
      await play(step, "stoppedHandshakes", { withKey }, async () => {
        await using agent = agentOf(lab, 1, flags, 256);
        await agent.start();
        return await stopHandshakes(lab, agent);
      });
      await play(step, "connectionFlood", { withKey }, async () => {
        await using agent = agentOf(lab, 1, flags, 256);
        await agent.start();
        return await flood(lab, agent);
      });
    },
  );

  testWith([], `hostile: a reader that does not read, ${how} a cluster key`, async (t) => {
    const step = casesOf(t, { explain: () => Promise.resolve("") });
    await play(step, "stalledReader", { withKey }, () => stall([...keyFlags, ...OPEN]));
    await play(step, "unreadManifests", { withKey }, () => unread([...keyFlags, ...OPEN]));
  });
}

/** The agent of a node; with a number, it may open so many files. */
function agentOf(lab: Lab, number: number, flags: readonly string[], files?: number): Agent {
  const { host, containerd } = lab.node(number);
  const limit = files === undefined ? [] : ["prlimit", `--nofile=${files}:${files}`];
  return new Agent({
    ...{ host, containerd, flags, directory: `${lab.directory}/${host.name}` },
    command: [...limit, ...eddyCommand()],
  });
}

async function holdFew(lab: Lab, agent: Agent): Promise<string> {
  const evil = lab.network.host("evil");
  const deaf: number[] = [];
  for (const port of PORTS) {
    const plan = { address: agent.host.address, ports: [port], manners: ["idle" as const] };
    {
      await using _flood = Flood.start(evil, lab.directory, { ...plan, connections: 39 });
      await new Promise((resolve) => setTimeout(resolve, 6000));
    }
    if (!agent.running) return `it died of port ${port}`;
    const heard = await heardAt(lab.node(2).host, agent.host.address, [port]);
    if (!heard.includes(port)) deaf.push(port);
  }
  if (!agent.running) return "it died";
  return deaf.length === 0 ? "it lives, and hears again at each port" : `it is deaf at ${deaf}`;
}

async function stopHandshakes(lab: Lab, agent: Agent): Promise<string> {
  const evil = lab.network.host("evil");
  const [n2, { address }] = [lab.node(2).host, agent.host];
  const sources = Array.from({ length: 8 }, (_, index) => `10.213.7.${100 + index}`);
  for (const source of sources) {
    await runCommand(["ip", "-n", evil.namespace, "addr", "add", `${source}/24`, "dev", "eth0"]);
  }
  const plan = { address, port: TLS_PORT, sources, connections: 30 };
  await using flood = Flood.startHellos(evil, lab.directory, plan);
  await until(async () => await flood.most() > 0, { what: "the flood" });
  for (let newcomers = 0; newcomers < NEWCOMERS; newcomers++) {
    const heard = await heardAt(n2, address, [5000, TLS_PORT]);
    if (heard.length < 2) return `newcomer ${newcomers} is heard at ${heard} only`;
  }
  report(`hostile stoppedHandshakes: ${await flood.most()} connections opened`);
  return agent.running ? "others are heard within 5 s, at the plain port, too" : "it died";
}

/** What was seen of an agent during an attack. */
interface Look {
  readonly ready: boolean;
  readonly rssMib: number;
}

async function flood(lab: Lab, agent: Agent): Promise<string> {
  const [n1, n2] = [lab.node(1), lab.node(2)];
  const { image, repository, reference } = await publish(lab, `flood-${lab.directory.slice(-1)}`, {
    layerBytes: LAYERS,
  });
  await n2.containerd.fetch(reference);
  await untilFindable(n1, image, { repository, tag: "v1" });
  await lab.upstream.stop();
  await using pod = await Pod.create(n1.host);
  const before = await agent.process.rssMib();
  const plan = { ports: PORTS, manners: ["idle", "slow"] as const, connections: 150 };
  const evil = lab.network.host("evil");
  await using first = Flood.start(evil, lab.directory, { ...plan, address: n1.host.address });
  await using second = Flood.start(pod.host, lab.directory, { ...plan, address: pod.nodeAddress });
  const looks: Look[] = [];
  const pulled = pullLater(async () => {
    await fromPeers(n1, image, () => n1.containerd.fetch(reference, { timeoutMs: 30_000 }));
  });
  let heard: number[] = [];
  for (const start = performance.now(); performance.now() - start < ATTACK_MS;) {
    if (!agent.running) return "it died";
    looks.push(await look(agent));
    // Once, when the places are taken.
    if (looks.length === 15) heard = await heardAt(n2.host, n1.host.address);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const growth = Math.max(...looks.map(({ rssMib }) => rssMib)) - before;
  const most = [await first.most(), await second.most()];
  report(`hostile connectionFlood: ${most} connections at most, ${growth.toFixed(0)} MiB more`);
  const faults = [
    ...(looks.every(({ ready }) => ready) ? [] : ["it says that it is not ready"]),
    ...(heard.length === PORTS.length ? [] : [`others are heard at ${heard} only`]),
    ...(growth < GROWTH_MIB ? [] : [`it grows by ${growth.toFixed(0)} MiB`]),
    ...(await pulled ?? []),
  ];
  if (faults.length > 0) return faults.join(", ");
  return "it lives, says so, hears others, grows by less than 64 MiB, and serves its node";
}

/** @returns what went wrong. */
async function pullLater(pull: () => Promise<void>): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, ATTACK_MS / 3));
  return await pull().then(() => [], (error) => [`its node's pull fails: ${error}`]);
}

async function look(agent: Agent): Promise<Look> {
  const url = "http://127.0.0.1:9090/readyz";
  const { status } = await httpRequest(agent.host, url, { timeoutMs: 5000 });
  return { ready: status === 200, rssMib: await agent.process.rssMib().catch(() => 0) };
}

async function stall(flags: readonly string[]): Promise<string> {
  await using node = await LayoutNode.make(["--max-uploads", "1", ...flags]);
  const layer = contentOf(new Uint8Array(LARGE_LAYER));
  const { manifest, config } = manifestOf([layer.digest], "stall");
  for (const { bytes, digest } of [layer, config]) await node.writer.putBlob(bytes, digest);
  await node.writer.putManifest(manifest.bytes, "registry.test/app:1");
  await node.start();
  await node.untilHeld(3);
  const target = `app/blobs/${layer.digest}`;
  const ask = () => node.ask(target, "registry.test", { ...PEER, range: "bytes=0-0" });
  using reader = await Deno.connect({ hostname: "127.0.0.1", port: node.port });
  const head = `GET /v2/${target}?ns=registry.test HTTP/1.1\r\nHost: node\r\n` +
    "X-Spegel-Mirrored: true\r\n\r\n";
  await reader.write(new TextEncoder().encode(head));
  await until(async () => await ask() === 429, { what: "the upload to be taken" });
  assert.equal(await holders(layer.digest), 1);
  const began = performance.now();
  while (await ask() !== 206) {
    if (performance.now() - began > 60_000) return "others get 429 for a minute";
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return await holders(layer.digest) === 0
    ? "others get their turn within a minute, and the file is closed"
    : "others get their turn, but the file stays open";
}

async function unread(flags: readonly string[]): Promise<string> {
  await using node = await LayoutNode.make(flags);
  const layer = contentOf("layer");
  const { manifest, config } = manifestOf([layer.digest], "unread");
  const padding = { annotations: { padding: "x".repeat(LARGE_MANIFEST) } };
  const { bytes } = contentOf(
    JSON.stringify({ ...JSON.parse(new TextDecoder().decode(manifest.bytes)), ...padding }),
  );
  for (const each of [layer, config]) await node.writer.putBlob(each.bytes, each.digest);
  await node.writer.putManifest(bytes, "registry.test/app:1");
  await node.start();
  await node.untilHeld(3);
  const before = await node.rssMib();
  const target = `/v2/app/manifests/${contentOf(bytes).digest}?ns=registry.test`;
  const head = `GET ${target} HTTP/1.1\r\nHost: node\r\n\r\n`;
  const clients: Deno.TcpConn[] = [];
  try {
    for (let count = 0; count < UNREAD; count++) {
      const client = await Deno.connect({ hostname: "127.0.0.1", port: node.port });
      clients.push(client);
      await client.write(new TextEncoder().encode(head));
    }
    let most = 0;
    for (let looks = 0; looks < 10; looks++) {
      most = Math.max(most, await node.rssMib());
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const response = await fetch(`http://127.0.0.1:${node.port}${target}`);
    const got = (await response.arrayBuffer()).byteLength;
    report(`hostile unreadManifests: ${(most - before).toFixed(0)} MiB more`);
    const growth = most - before < GROWTH_MIB ? "less than 64" : (most - before).toFixed(0);
    return `grows by ${growth} MiB, and others ${got === bytes.length ? "" : "do not "}get it`;
  } finally {
    for (const client of clients) client.close();
  }
}

/** How often a blob's file is open, in whatever process. */
async function holders(digest: string): Promise<number> {
  let count = 0;
  for await (const { name: pid } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
        const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
        if (target.endsWith(digest.slice(-64))) count++;
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return count;
}
