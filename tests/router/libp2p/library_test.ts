import assert from "node:assert/strict";
import { noise } from "@chainsafe/libp2p-noise";
import { yamux } from "@chainsafe/libp2p-yamux";
import type { ConnectionEncrypter, MessageStream } from "@libp2p/interface";
import { systemClock } from "../../../lib/async/clock.ts";
import { ConnectionBudget } from "../../../lib/net/connection_budget.ts";
import { checkConnections } from "../../../lib/router/libp2p/check_connections.ts";
import { ClosedNetwork } from "../../../lib/router/libp2p/closed_network.ts";
import { frugalYamux } from "../../../lib/router/libp2p/frugal_yamux.ts";
import { createHost, type Host } from "../../../lib/router/libp2p/host.ts";
import { loadIdentity } from "../../../lib/router/libp2p/identity.ts";
import { PINNED } from "../../../lib/router/libp2p/library.ts";
import { noiseCrypto } from "../../../lib/router/libp2p/noise_crypto.ts";
import { resolveRouterOptions } from "../../../lib/router/options.ts";
import { MemoryLog } from "../../fakes/log.ts";
import { readSource, sourceFiles } from "../../architecture/source_files.ts";
import { test } from "../../support/test.ts";

async function makeHost(): Promise<Host> {
  const inbound = {
    admission: new ConnectionBudget().router,
    clock: systemClock,
    log: new MemoryLog(),
  };
  const listen = { host: "127.0.0.1", port: 0 };
  const options = resolveRouterOptions({ listen, registryPort: 5000 });
  return await createHost(await loadIdentity(), inbound, options);
}

/** Runs with a member of a class missing. */
async function without(instance: object, member: string, run: () => Promise<void>): Promise<void> {
  const prototype = Object.getPrototypeOf(instance);
  const descriptor = Object.getOwnPropertyDescriptor(prototype, member);
  assert(descriptor, member);
  delete prototype[member];
  try {
    await run();
  } finally {
    Object.defineProperty(prototype, member, descriptor);
  }
}

/** Noise whose connections look different. */
async function alteredNoise(
  { node: { peerId, logger } }: Host,
  alter: (connection: object) => void,
): Promise<ConnectionEncrypter> {
  const components = {
    ...{ peerId, logger, privateKey: await loadIdentity() },
    upgrader: { getStreamMuxers: () => new Map() },
  };
  const real = noise({ crypto: noiseCrypto() })(components as never);
  return Object.assign(Object.create(real), {
    async secureOutbound(connection: MessageStream, options: object) {
      const secured = await real.secureOutbound(connection, options as never);
      alter(secured.connection);
      return secured;
    },
  });
}

const fails = (library: keyof typeof PINNED, member: string) => ({
  message: new RegExp(`^${library} has no member ${member} .* ${PINNED[library]}$`),
});

test("libraries: the versions that errors name are those that the project pins", async () => {
  const { imports } = JSON.parse(
    await Deno.readTextFile(new URL("../../../deno.json", import.meta.url)),
  );
  for (const [name, version] of Object.entries(PINNED)) {
    assert.equal(imports[name], `npm:${name}@${version}`);
  }
});

test("libraries: only the files that ADR 9 names reach beyond public types", async () => {
  const checked: string[] = [];
  for (const path of (await sourceFiles()).filter((path) => path.startsWith("lib/router/"))) {
    const text = await readSource(path);
    const isChecked = text.includes("requireMembers(");
    if (isChecked) checked.push(path.replace(/^.*\//, ""));
    const reaches = /as unknown as|Reflect\.|@ts-|no-explicit-any/.test(text);
    assert(!reaches || isChecked || path.endsWith("/check_connections.ts"), path);
  }
  const decision = await readSource("docs/adr/0009-own-dht-traffic.md");
  const named = checked.filter((file) => decision.includes(`\`${file}\``));
  assert.deepEqual(named, ["closed_network.ts", "frugal_yamux.ts", "kad_dht.ts"]);
  assert.deepEqual(checked.filter((file) => !named.includes(file)), ["library.ts"]);
});

test("libraries: a router is not made where kad-dht has lost a member that it needs", async () => {
  const { dht } = await makeHost();
  for (
    const [part, member] of [
      [dht.routingTable, "remove"],
      [dht.routingTable, "queueRoutingTableUpdate"],
      [dht.rpc, "onIncomingStream"],
      [dht.providers, "addProvider"],
      [dht.providers, "removeProvider"],
      [dht.providers, "getProviders"],
    ] as const
  ) {
    await without(part, member, async () => {
      await assert.rejects(makeHost(), fails("@libp2p/kad-dht", member));
    });
  }
  await makeHost();
});

test("libraries: a router is not made where yamux has lost a member that it needs", async () => {
  const log = Object.assign(() => {}, { trace() {}, newScope: () => log });
  const connection = { direction: "outbound", log, addEventListener() {} };
  const muxer = yamux({ enableKeepAlive: false })().createStreamMuxer(connection as never);
  await without(muxer, "sendFrame", async () => {
    await assert.rejects(makeHost(), fails("@chainsafe/libp2p-yamux", "sendFrame"));
  });
});

test("libraries: other connections of Noise, and other frames of yamux, are noticed", async () => {
  const host = await makeHost();
  const check = async (alter: (connection: object) => void, muxers = frugalYamux()()) =>
    await checkConnections(await alteredNoise(host, alter), muxers, host.node.logger);
  await check(() => {});
  for (
    const [member, alter] of [
      ["decoder", (connection) => Reflect.deleteProperty(connection, "decoder")],
      ["lengthDecoder", (connection) => Reflect.set(connection, "decoder", {})],
    ] as [string, (connection: object) => void][]
  ) {
    await assert.rejects(check(alter), fails("@chainsafe/libp2p-noise", member));
  }
  const renamed = {
    protocol: "/yamux/1.0.0",
    createStreamMuxer: () => ({
      createStream(this: { sendFrame: (header: object) => void }) {
        this.sendFrame({ type: 1, flags: 1, streamID: 1, length: 0 });
        return Promise.resolve();
      },
    }),
  };
  await assert.rejects(check(() => {}, renamed as never), fails("@chainsafe/libp2p-yamux", "flag"));
});

test("libraries: a closed network is not opened where libp2p keeps its encrypters elsewhere", () => {
  const logger = { forComponent: () => () => {} };
  for (const connectionEncrypters of [undefined, {}]) {
    const network = new ClosedNetwork(["s".repeat(44)]);
    network.encrypter({ logger, upgrader: { connectionEncrypters } } as never);
    const member = connectionEncrypters === undefined ? "connectionEncrypters" : "clear";
    assert.throws(() => network.open(), fails("libp2p", member));
  }
});
