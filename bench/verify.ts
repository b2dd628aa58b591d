/**
 * Benchmarks the cost of asking upstream: pulls by tag and by digest of small images that a peer
 * has, by a real containerd, with a registry 20 ms away. Prints medians.
 *
 * Usage: `deno task bench:verify [--rounds N]` (5, of 5 images each). Needs what the end-to-end
 * tests need, and `dist/eddy` (`deno task compile`).
 */
import { fileURLToPath } from "node:url";
import { Agent } from "../tests/e2e/lab/agent.ts";
import { containerdReleases } from "../tests/e2e/lab/containerd_release.ts";
import { Lab, type LabNode } from "../tests/e2e/lab/lab.ts";
import { ManagedProcess } from "../tests/e2e/lab/managed_process.ts";
import { onHost } from "../tests/e2e/lab/network.ts";
import { publish, type Published } from "../tests/e2e/lab/publish.ts";
import { until } from "../tests/e2e/lab/until.ts";
import { UPSTREAM } from "../tests/e2e/lab/upstream.ts";
import { median } from "./figure.ts";

const DELAY_MS = 10;
const LAYERS = [64 * 1024];
const PORT = 5000;
/** Images of each kind per round. */
const IMAGES = 5;
/** Agent flags of each policy; with the first, upstream is never asked. */
const POLICIES = {
  nothing: ["--tag-policy", "peer", "--private-images", "share"],
  verify: [],
  off: ["--tag-policy", "off"],
} as const;
const PULLS = {
  first: "by tag, the first of its repository",
  again: "by tag, again within --tag-ttl",
  digest: "by digest",
  newDigest: "by digest, the first of its repository",
} as const;

type Policy = keyof typeof POLICIES;
type Pull = keyof typeof PULLS;

interface Sample {
  /** Duration of the whole pull, ms. */
  readonly ms: number;
  /** Duration of the agent's responses about manifests, ms. */
  readonly answersMs: number;
  /** Number of requests to upstream. */
  readonly questions: number;
}

const rounds = Deno.args[0] === "--rounds" ? Number(Deno.args[1]) : 5;
if (!Number.isInteger(rounds) || rounds < 1) {
  throw new Error(`--rounds is ${Deno.args[1]}, want 1 or more`);
}
const root = fileURLToPath(new URL("..", import.meta.url));
Deno.env.set("EDDY_BIN", Deno.env.get("EDDY_BIN") ?? `${root}dist/eddy`);

const { current } = containerdReleases();
await using lab = await Lab.create({
  id: "verify",
  releases: [current, current],
  strangers: ["far"],
  withoutAgents: true,
});
await using _proxy = startProxy();
for (const { containerd } of lab.nodes) {
  const server = `server = "http://${lab.network.host("far").address}:${PORT}"\n`;
  await Deno.writeTextFile(`${containerd.certsPath}/${UPSTREAM}/hosts.toml`, server);
}
const [holder, puller] = [lab.node(1), lab.node(2)];
await holder.agent.start();
const images = await prepare();
const samples = new Map<string, Sample[]>();
// The first round warms up. Agents take turns, so that a disturbance of the machine affects all.
for (let round = 0; round <= rounds; round++) {
  if (round === 1) samples.clear();
  for (const policy of Object.keys(POLICIES) as Policy[]) await measure(policy);
}
report();

function startProxy(): ManagedProcess {
  const program = `${root}bench/delaying_proxy.ts`;
  const target = [lab.network.host("up").address, String(PORT)];
  return ManagedProcess.start({
    name: "proxy",
    argv: onHost(lab.network.host("far"), [
      ...[Deno.execPath(), "run", "--no-config", "--allow-net", program],
      ...[String(PORT), ...target, String(DELAY_MS)],
    ]),
    logFile: `${lab.directory}/proxy.log`,
  });
}

/** Adds images to the holder, each in a repository of its own. */
async function prepare(): Promise<Published[]> {
  const published: Published[] = [];
  for (let i = 0; i < 2 * IMAGES; i++) {
    const image = await publish(lab, `bench/app-${i}`, { layerBytes: LAYERS });
    await holder.containerd.cri.pull(image.reference);
    published.push(image);
  }
  const digests = published.reduce((sum, { image }) => sum + image.pulled.length, 0);
  await until(async () => {
    return (await holder.agent.metrics()).sum("eddy_advertised_digests") >= digests;
  }, { what: "the holder to advertise all images" });
  return published;
}

async function measure(policy: Policy): Promise<void> {
  const { host, containerd } = puller;
  const directory = `${lab.directory}/${policy}`;
  await Deno.mkdir(directory, { recursive: true });
  const flags = [...POLICIES[policy], "--tag-ttl", "1h"];
  const agent = new Agent({ host, containerd, directory, flags });
  await using node = Object.assign({ host, containerd, agent }, {
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  });
  await agent.start();
  await lab.untilKnown(1, 20_000, [node]);
  const [tagged, named] = [images.slice(0, IMAGES), images.slice(IMAGES)];
  for (const image of tagged) {
    await sample(node, policy, "first", image.reference, image);
    await sample(node, policy, "again", image.reference, image);
    await sample(node, policy, "digest", image.digestReference, image);
  }
  for (const image of named) await sample(node, policy, "newDigest", image.digestReference, image);
  await agent.stop();
}

/** Measures one pull, which is valid only if upstream sent no content. */
async function sample(
  node: LabNode,
  policy: Policy,
  pull: Pull,
  reference: string,
  { image, repository }: Published,
): Promise<void> {
  const asked = (await lab.upstream.requests()).length;
  const answered = (await answers(node)).length;
  const start = performance.now();
  await node.containerd.cri.pull(reference);
  const ms = performance.now() - start;
  const questions = (await lab.upstream.requests()).slice(asked);
  const downloads = questions.filter(({ method }) => method === "GET");
  if (downloads.length > 0) throw new Error(`${repository}: ${JSON.stringify(downloads)}`);
  const latencies = (await answers(node)).slice(answered);
  const answersMs = latencies.reduce((sum, each) => sum + each, 0);
  const key = `${policy} ${pull}`;
  samples.set(key, [...samples.get(key) ?? [], { ms, answersMs, questions: questions.length }]);
  await node.containerd.cri.remove(reference);
  await until(async () => (await node.containerd.lacks(image)).length === image.pulled.length, {
    what: `${repository} to be removed`,
    intervalMs: 10,
  });
}

/** Durations of the agent's responses about manifests, ms. */
async function answers({ agent }: LabNode): Promise<number[]> {
  return (await agent.log())
    .filter(({ msg, path }) => msg === "request" && String(path).includes("/manifests/"))
    .map(({ latency }) => Number(latency));
}

function report(): void {
  const cell = (policy: Policy, pull: Pull) => {
    const all = samples.get(`${policy} ${pull}`) ?? [];
    const of = (field: keyof Sample) => all.map(({ [field]: value }) => value);
    return `${median(of("ms")).toFixed(0)} / ${median(of("answersMs")).toFixed(1)} / ${
      median(of("questions"))
    }`;
  };
  const lines = [
    `A registry ${2 * DELAY_MS} ms away, medians of ${
      rounds * IMAGES
    } pulls each: the whole pull, ms,`,
    "of it the agent's answers about manifests, ms / requests to the registry.",
    "",
    "| Pull | Nothing is asked | Default (`verify`) | `--tag-policy off` |",
    "| --- | --- | --- | --- |",
    ...(Object.entries(PULLS) as [Pull, string][]).map(([pull, title]) => {
      const cells = (Object.keys(POLICIES) as Policy[]).map((policy) => cell(policy, pull));
      return `| ${title} | ${cells.join(" | ")} |`;
    }),
    "",
  ];
  Deno.stdout.writeSync(new TextEncoder().encode(lines.join("\n")));
}
