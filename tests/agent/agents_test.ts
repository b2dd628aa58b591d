import assert from "node:assert/strict";
import { examineSetup } from "../../lib/commands/doctor/examine.ts";
import { WITHOUT_UPSTREAM } from "../support/without_upstream.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { type Agent, startAgent } from "../../lib/agent/start_agent.ts";
import { basicAuthorization } from "../../lib/oci/basic_auth.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { MemoryLog } from "../fakes/log.ts";
import { configOf } from "../support/config_of.ts";
// Opens what libp2p opens once for the whole process.
import "../router/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { test } from "../support/test.ts";

const LARGE_BYTES = 64 * 1024 * 1024;
/** Two timers of libp2p 3.3 outlive `stop()` by a second (see tests/router/cluster.ts). */
const LIBRARY_TIMERS_MS = 1100;

/** Whole agents on loopback, each with a directory for a store. */
class Agents implements AsyncDisposable {
  readonly #directory: string;
  readonly #ports: readonly number[];
  readonly #flags: readonly string[];
  readonly nodes: { agent: Agent; writer: OciLayoutWriter; log: MemoryLog }[] = [];

  private constructor(directory: string, ports: readonly number[], flags: readonly string[]) {
    this.#directory = directory;
    this.#ports = ports;
    this.#flags = flags;
  }

  static async start(count: number, flags: readonly string[] = []): Promise<Agents> {
    const directory = await Deno.makeTempDir({ prefix: "eddy-agents-" });
    const agents = new Agents(directory, freePorts(3 * count), flags);
    for (let index = 0; index < count; index++) await agents.#add(index, count);
    await eventually("nodes know each other", async () => {
      const known = await Promise.all(agents.nodes.map(({ agent }) => agents.peers(agent)));
      return known.every((peers) => peers === count - 1);
    });
    return agents;
  }

  /** Stops an agent and starts it with the same store and the same addresses. */
  async restart(index: number): Promise<Agent> {
    await this.nodes[index]?.agent.stop();
    await this.#add(index, this.nodes.length);
    const node = this.nodes[index];
    assert.ok(node);
    return node.agent;
  }

  async peers({ metricsUrl }: Agent): Promise<number> {
    const text = await (await fetch(`${metricsUrl}/metrics`)).text();
    return Number(/^eddy_peers (\d+)$/m.exec(text)?.[1] ?? NaN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(({ agent }) => agent.stop()));
    await systemClock.sleep(LIBRARY_TIMERS_MS);
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #add(index: number, count: number): Promise<void> {
    const layout = `${this.#directory}/${index}`;
    const writer = new OciLayoutWriter(layout);
    await writer.init();
    const [routers, registries] = [this.#ports.slice(0, count), this.#ports.slice(count)];
    const args = [
      ...["--store", `oci-layout:${layout}`, "--mirror-resolve-timeout", "2s"],
      ...["--router-addr", `127.0.0.1:${routers[index]}`],
      ...["--registry-addr", `127.0.0.1:${registries[index]}`],
      ...["--metrics-addr", `127.0.0.1:${this.#ports[2 * count + index]}`],
      ...["--bootstrap-kind", "static", "--static-bootstrap-peers"],
      ...routers.map((port) => `127.0.0.1:${port}`),
      ...WITHOUT_UPSTREAM,
      ...this.#flags,
    ];
    const config = configOf("agent", args);
    const log = new MemoryLog();
    const agent = await startAgent(config, {
      log,
      signal: new AbortController().signal,
      examine: examineSetup,
      registryPortOf: (port) => registries[routers.indexOf(port)] ?? 0,
    });
    this.nodes[index] = { agent, writer, log };
  }
}

function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Adds an image of one layer to a node. */
async function addImage(
  writer: OciLayoutWriter,
  name: string,
  layerBytes: number,
): Promise<Digest> {
  const random = crypto.getRandomValues(new Uint8Array(65_536));
  const content = new Uint8Array(layerBytes).map((_, at) => random[at % random.length] ?? 0);
  const layer = await writer.putBlob(content);
  const config = await writer.putBlob(new TextEncoder().encode(`{"name":"${name}"}`));
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { ...config, mediaType: "application/vnd.oci.image.config.v1+json" },
    layers: [{ ...layer, mediaType: "application/vnd.oci.image.layer.v1.tar" }],
  };
  await writer.putManifest(new TextEncoder().encode(JSON.stringify(manifest)), name);
  return layer.digest;
}

test("agents: an agent that stops is asked for nothing more while it ends what it sends", async () => {
  await using agents = await Agents.start(2);
  const [leaver, other] = agents.nodes;
  assert.ok(leaver && other);
  const large = await addImage(leaver.writer, "docker.io/library/large:1", LARGE_BYTES);
  const small = await addImage(leaver.writer, "docker.io/library/small:1", 1000);
  const path = (digest: Digest) => `${other.agent.url}/v2/library/any/blobs/${digest}?ns=docker.io`;
  for (const digest of [large, small]) {
    await eventually("the layers are found", async () => {
      return (await fetch(path(digest), { method: "HEAD" })).status === 200;
    });
  }
  const transfer = await fetch(path(large));
  const reader = transfer.body?.getReader();
  let received = (await reader?.read())?.value?.length ?? 0;

  const stopped = leaver.agent.stop();
  let running = true;
  stopped.finally(() => running = false);
  await eventually("the layer is nobody's", async () => {
    const response = await fetch(path(small));
    return response.status === 404 && (await response.text()).includes("no-peer");
  });
  await eventually(
    "the peer is out of the table",
    async () => await agents.peers(other.agent) === 0,
  );
  assert.ok(running, "the transfer is still under way");
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    received += value.length;
  }
  assert.equal(received, LARGE_BYTES);
  await stopped;
});

test("agents: with credentials peers serve each other, and nobody else", async () => {
  const secrets = await Deno.makeTempDir({ prefix: "eddy-secrets-" });
  try {
    await Deno.writeTextFile(`${secrets}/username`, "eddy");
    await Deno.writeTextFile(`${secrets}/password`, "hush");
    await using agents = await Agents.start(2, ["--basic-auth-dir", secrets]);
    const [holder, other] = agents.nodes;
    assert.ok(holder && other);
    const layer = await addImage(holder.writer, "docker.io/library/app:1", 5000);
    const headers = { authorization: basicAuthorization("eddy", "hush") };
    const path = `/v2/library/app/blobs/${layer}?ns=docker.io`;
    await eventually("the layer comes from the peer", async () => {
      const response = await fetch(other.agent.url + path, { headers });
      return (await response.arrayBuffer()).byteLength === 5000 && response.status === 200;
    });
    for (const { agent } of agents.nodes) {
      const response = await fetch(agent.url + path, { headers: { "x-spegel-mirrored": "true" } });
      assert.equal(response.status, 401);
      await response.body?.cancel();
    }
    const lines = JSON.stringify(agents.nodes.map(({ log }) => log.lines));
    assert.ok(!lines.includes("hush") && !lines.includes(headers.authorization.slice(6)));
  } finally {
    await Deno.remove(secrets, { recursive: true });
  }
});

test("agents: with a closed index, nodes with the cluster key find what the others have", async () => {
  const secrets = await Deno.makeTempDir({ prefix: "eddy-secrets-" });
  try {
    await Deno.writeTextFile(`${secrets}/cluster.key`, "k".repeat(44));
    await using agents = await Agents.start(2, [
      ...["--cluster-key-file", `${secrets}/cluster.key`, "--dht-closed"],
    ]);
    const [holder, other] = agents.nodes;
    assert.ok(holder && other);
    const layer = await addImage(holder.writer, "docker.io/library/app:1", 5000);
    await eventually("the layer comes from the peer", async () => {
      const url = `${other.agent.url}/v2/library/app/blobs/${layer}?ns=docker.io`;
      const response = await fetch(url);
      return (await response.arrayBuffer()).byteLength === 5000 && response.status === 200;
    });
  } finally {
    await Deno.remove(secrets, { recursive: true });
  }
});

test("agents: what is asked of an agent as soon as it listens comes from a peer", async () => {
  await using agents = await Agents.start(2);
  const [holder] = agents.nodes;
  assert.ok(holder);
  const layer = await addImage(holder.writer, "docker.io/library/app:1", 1000);
  const ask = async ({ url }: Agent) => {
    const response = await fetch(`${url}/v2/library/app/blobs/${layer}?ns=docker.io`);
    return { status: response.status, bytes: (await response.arrayBuffer()).byteLength };
  };
  await eventually("the layer is found", async () => {
    return (await ask(agents.nodes[1]?.agent ?? holder.agent)).status === 200;
  });
  assert.deepEqual(await ask(await agents.restart(1)), { status: 200, bytes: 1000 });
});
