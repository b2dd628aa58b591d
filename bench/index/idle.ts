import { systemClock } from "../../lib/async/clock.ts";
import { Fleet } from "./fleet.ts";
import type { Setting } from "./scenarios.ts";

/** Load of an idle node. */
export interface Idle {
  readonly nodes: number;
  /** CPU seconds, messages and bytes, per node and second. */
  readonly cpu: number;
  readonly messages: number;
  readonly bytes: number;
  /** CPU seconds per pair of nodes that connected. */
  readonly meetingSeconds: number;
}

/** Measures an idle fleet. */
export async function idleOf(fleet: Fleet, nodes: number, quick: boolean): Promise<Idle> {
  const seconds = quick ? 5 : 15;
  const meetingSeconds = (fleet.cpuSeconds() - sum(fleet.cpuBefore)) / (nodes * (nodes - 1) / 2);
  await systemClock.sleep(5000);
  const before = { cpu: fleet.cpuSeconds(), ...await fleet.traffic() };
  await systemClock.sleep(seconds * 1000);
  const after = { cpu: fleet.cpuSeconds(), ...await fleet.traffic() };
  return {
    nodes,
    cpu: (after.cpu - before.cpu) / seconds / nodes,
    messages: (after.messages - before.messages) / seconds / nodes,
    bytes: (after.bytes - before.bytes) / seconds / nodes,
    meetingSeconds,
  };
}

/** Starts and measures an idle fleet of this size. */
export async function idleFleet(nodes: number, { address, quick }: Setting): Promise<Idle> {
  const sizes = Array.from({ length: Math.ceil(nodes / 10) }, () => 10);
  await using fleet = await Fleet.start({ sizes, address, knownShare: 0.9 });
  await systemClock.sleep(quick ? 2000 : 15_000);
  return await idleOf(fleet, nodes, quick);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
