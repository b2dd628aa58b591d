/**
 * The index at scale: announcing, lookups and failures, compared with js-libp2p's own provide() and
 * a Go node with the sweeping provider, and a model for more nodes than fit on a machine. Writes
 * docs/scale.md. Usage: `deno task bench:index [--quick]`; as root it also measures the Go node,
 * which needs an address that is not loopback, in a network namespace of its own.
 */
import { GoNode } from "./go_node.ts";
import { idleFleet } from "./idle.ts";
import { lookups } from "./lookups.ts";
import { checkIdle, costsOf } from "./model.ts";
import { type Results, toMarkdown, toPlots } from "./report.ts";
import {
  bulkEddy,
  bulkGo,
  bulkPlain,
  type BulkResult,
  reprovide,
  startTogether,
} from "./scenarios.ts";

/** Twenty addresses: go-libp2p opens at most eight connections to one. */
const NETWORK = "10.213.250";
const ADDRESS = `${NETWORK}.1`;
const INSIDE = "--inside";
const DOCS = new URL("../../docs/", import.meta.url);

const quick = Deno.args.includes("--quick");
if (Deno.args.includes(INSIDE)) await measure(ADDRESS);
else if (!await inNamespace()) await measure("127.0.0.1", "no network namespace can be made here");

/** Runs this program again in a namespace with the address; false if that is impossible. */
async function inNamespace(): Promise<boolean> {
  if (Deno.uid() !== 0 || await GoNode.missing() !== undefined) return false;
  const again = [
    Deno.execPath(),
    "run",
    "-A",
    new URL(import.meta.url).pathname,
    INSIDE,
    ...Deno.args,
  ];
  const script = `ip link set lo up && for i in $(seq 1 20); do
    ip addr add ${NETWORK}.$i/32 dev lo; done && exec "$@"`;
  const command = new Deno.Command("unshare", {
    args: ["--net", "sh", "-c", script, "sh", ...again],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  });
  const { code } = await command.output().catch(() => ({ code: 127 }));
  if (code !== 0 && code !== 127) Deno.exit(code);
  return code === 0;
}

async function measure(address: string, noGo?: string): Promise<void> {
  const setting = { address, quick };
  const run = async <T>(name: string, scenario: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    print(`${name} …`);
    const result = await scenario();
    print(
      `${name}: ${JSON.stringify(result)} (${((performance.now() - start) / 1000).toFixed(0)} s)`,
    );
    return result;
  };
  const eddy = await run("Eddy, one node announces", () => bulkEddy(setting));
  const bulk: BulkResult[] = [eddy];
  const leftOut: string[] = [];
  const beside = async (name: string, scenario: () => Promise<BulkResult>) => {
    try {
      bulk.push(await run(name, scenario));
    } catch (error) {
      leftOut.push(`${name} was not measured: ${reasonOf(error)}.`);
    }
  };
  await beside("js-libp2p", () => bulkPlain(setting));
  const missing = noGo ?? await GoNode.missing();
  if (missing === undefined) await beside("go-libp2p", () => bulkGo(setting, NETWORK));
  else leftOut.push(`The Go node was not measured: ${missing}.`);
  const together = await run("start together", () => startTogether(setting));
  const again = await run("announcing anew", () => reprovide(setting));
  // As many as this machine can run.
  const found = quick
    ? await run("lookups", () => lookups(setting, 4))
    : await run("lookups, 100 nodes", () => lookups(setting, 10)).catch((error) => {
      leftOut.push(`A hundred nodes were too many for this machine (${reasonOf(error)}).`);
      return run("lookups, 60 nodes", () => lookups(setting, 6));
    });
  const small = await run("ten idle nodes", () => idleFleet(10, setting));
  const costs = costsOf(eddy.idle, eddy, again);
  const results: Results = {
    bulk,
    leftOut,
    together,
    reprovide: again,
    lookups: found,
    idle: [small, eddy.idle, found.idle],
    costs,
    checks: checkIdle([small, found.idle], costs),
    machine: `Measured on ${navigator.hardwareConcurrency} cores with Deno ${Deno.version.deno}.`,
    quick,
  };
  await Deno.mkdir(new URL("scale/", DOCS), { recursive: true });
  for (const [name, svg] of Object.entries(toPlots(results))) {
    await Deno.writeTextFile(new URL(`scale/${name}`, DOCS), svg);
  }
  await Deno.writeTextFile(new URL("scale.md", DOCS), toMarkdown(results));
  const written = ["scale.md", "scale"].map((path) => new URL(path, DOCS).pathname);
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", ...written] }).output();
  print("docs/scale.md is written");
}

function reasonOf(error: unknown): string {
  const [first = ""] = String(error instanceof Error ? error.message : error).split("\n");
  return first.replace(/^Error: /, "");
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
