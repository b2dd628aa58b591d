import { systemClock } from "../../lib/async/clock.ts";
import { Fleet } from "./fleet.ts";
import { type Idle, idleOf } from "./idle.ts";
import type { KeySet } from "./protocol.ts";
import type { Setting } from "./scenarios.ts";
import type { Percentiles } from "./statistics.ts";

/** A hundred nodes, thirty of which are killed at once. */
export interface LookupResult {
  readonly nodes: number;
  readonly killed: number;
  readonly lookups: Percentiles;
  /** While the dead nodes are being detected. */
  readonly during: Percentiles;
  readonly missed: number;
  /** When a dead node was last found. */
  readonly lastDeadMs: number;
  readonly idle: Idle;
}

/** @param processes with ten nodes each; three tenths of them are killed. */
export async function lookups(
  { address, quick }: Setting,
  processes: number,
): Promise<LookupResult> {
  const each = 10;
  const dying = Math.floor(processes * 0.3);
  const nodes = processes * each;
  await using fleet = await Fleet.start({
    sizes: Array(processes).fill(each),
    address,
    inTurn: true,
    knownShare: 0.9,
  });
  await systemClock.sleep(quick ? 5000 : 45_000);
  const idle = await idleOf(fleet, nodes, quick);
  // Nodes of three processes hold each key, so that one of them survives.
  const sets = Array.from({ length: 20 }, (_, i): KeySet => ({ name: `s${i}`, count: 25 }));
  await fleet.all((worker, index) => {
    const own = sets.filter((_, i) => [0, 3, 6].some((shift) => (i + shift) % processes === index));
    return worker.tell({ op: "advertise", keys: own, nodes: own.map((_, i) => i % each) });
  });
  // Announcing nodes first look up where their keys belong, on the same machine.
  await systemClock.sleep(quick ? 3000 : 15_000);
  const survivor = fleet.workers.at(-1);
  if (survivor === undefined) throw new RangeError("a process is needed");
  const found = await survivor.tell<Percentiles & { missed: number }>({
    op: "lookups",
    keys: sets,
    nodes: Array.from({ length: each }, (_, i) => i),
    count: quick ? 1000 : 3000,
    limitMs: 2000,
  });
  const dead = fleet.ids.slice(0, dying).flat();
  await Promise.all(fleet.workers.slice(0, dying).map((worker) => worker.kill()));
  await survivor.tell({ op: "watch", keys: sets, dead });
  await systemClock.sleep(20_000);
  const { lastDeadMs, missed, ...during } = await survivor.tell<
    Percentiles & { lastDeadMs: number; missed: number }
  >({ op: "watched" });
  return {
    nodes,
    killed: dead.length,
    lookups: found,
    during,
    missed: missed + found.missed,
    lastDeadMs,
    idle,
  };
}
