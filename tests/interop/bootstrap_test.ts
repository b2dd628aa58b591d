import { ManagedProcess } from "../e2e/lab/managed_process.ts";
import { onHost } from "../e2e/lab/network.ts";
import { report } from "../e2e/lab/report.ts";
import { makeCertificates } from "./lab/certificates.ts";
import { pullAll, untilFound } from "./lab/exchange.ts";
import type { InteropLab } from "./lab/interop_lab.ts";
import type { Case } from "../support/test.ts";
import { interopSuite } from "./lab/interop_suite.ts";
import { goNode, spegelBinary } from "./lab/kinds.ts";
import type { InteropNode } from "./lab/node.ts";

/** One way to find the first peer. */
interface Way {
  readonly name: string;
  /** Flags of the node that is there first; it knows nobody then. */
  readonly seed: readonly string[];
  /** Flags of the one that joins. */
  readonly join: (lab: InteropLab, seed: InteropNode) => string[] | Promise<string[]>;
  /** Spegel's own bootstrapper has no such way. */
  readonly eddyOnly?: boolean;
}

const SERVING = [
  ...["--bootstrap-kind", "http", "--http-bootstrap-addr", ":5002"],
  ...["--http-bootstrap-url", "http://127.0.0.1:5002/id"],
];

const WAYS: readonly Way[] = [
  {
    name: "DNS",
    seed: [],
    join: (
      _,
      { host },
    ) => ["--bootstrap-kind", "dns", "--dns-bootstrap-domain", `${host.name}.test`],
  },
  {
    name: "HTTP",
    seed: SERVING,
    join: (_, { host }) => askingAt(`http://${host.name}.test:5002/id`),
  },
  {
    name: "HTTP over TLS with a client's certificate",
    seed: SERVING,
    join: async (lab, { host }) => {
      const directory = `${lab.directory}/certificates-${host.name}`;
      const { server, client } = await makeCertificates(directory, [`${host.name}.test`]);
      const behind = ["--to", "http://127.0.0.1:5002"];
      lab.addProcess(ManagedProcess.start({
        name: `TLS front on ${host.name}`,
        argv: onHost(host, [goNode(), "front", "--cert-dir", server, ...behind]),
        logFile: `${directory}/log`,
      }));
      return [
        ...askingAt(`https://${host.name}.test:5443/id`),
        ...["--http-bootstrap-cert-dir", client],
      ];
    },
  },
  {
    name: "a static address with a peer id",
    seed: [],
    join: async (_, seed) => staticPeer(`${address(seed)}/p2p/${await seed.id()}`),
  },
  {
    name: "a static address without a peer id",
    seed: [],
    join: (_, seed) => staticPeer(address(seed)),
    eddyOnly: true,
  },
];

const other = spegelBinary() === undefined ? "the Go node" : "Spegel";
await interopSuite(
  `bootstrap, and content in both directions, with ${other}`,
  { id: "boot", sides: ["eddy", "other"] },
  async (lab, step) => {
    const [eddy, foreign] = [lab.node(1), lab.node(2)];
    for (const way of WAYS) {
      await bootstrapCase(lab, step, way, { seed: foreign, joiner: eddy });
      if (way.eddyOnly === true && spegelBinary() !== undefined) continue;
      await bootstrapCase(lab, step, way, { seed: eddy, joiner: foreign });
    }
  },
);

async function bootstrapCase(
  lab: InteropLab,
  step: Case,
  way: Way,
  { seed, joiner }: { readonly seed: InteropNode; readonly joiner: InteropNode },
): Promise<void> {
  const name = `${joiner.kind.name} joins ${seed.kind.name} by ${way.name}`;
  await step(name, async () => {
    await seed.start(way.seed);
    await joiner.start(await way.join(lab, seed));
    const times = [
      [joiner, seed],
      [seed, joiner],
    ] as const;
    const found: string[] = [];
    for (const [asker, holder] of times) {
      const ms = await untilFound(asker, lab.imageOf(holder));
      await pullAll(asker, lab.imageOf(holder));
      found.push(`${asker.kind.name} found all of the other's after ${ms.toFixed(0)} ms`);
    }
    report(`${name}: ${found.join(", ")}`);
  });
}

function askingAt(url: string): string[] {
  return ["--bootstrap-kind", "http", "--http-bootstrap-url", url];
}

function staticPeer(peer: string): string[] {
  return ["--bootstrap-kind", "static", "--static-bootstrap-peers", peer];
}

function address({ host }: InteropNode): string {
  return `/ip4/${host.address}/tcp/5001`;
}
