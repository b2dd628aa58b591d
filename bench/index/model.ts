import type { Idle } from "./idle.ts";
import type { BulkResult, ReprovideResult } from "./scenarios.ts";

/** Constants of the router that the model knows (lib/router). */
const REPLICAS = 20;
const MAX_PINGS_PER_SECOND = 20;
const PING_INTERVAL_S = 2;
const WALK_INTERVAL_S = 60;
const MAX_CONNECTIONS = 300;
const REPROVIDE_INTERVAL_S = 600;
const PORTION = 128;
const MIN_PORTIONS = 16;
const BATCH = 256;
const REGIONS = 16;
/** Peers that a lookup asks when there are no more than a record or two. */
const ASKED = 8;
/** Bytes of a record, of a question or ping with its answer, of an answer that names 20 peers. */
const RECORD_BYTES = 130;
const PING_BYTES = 60;
const ANSWER_BYTES = 1500;

/** What things cost, measured in the same run. */
export interface Costs {
  /** Seconds of a core for a message of a node that does nothing else. */
  readonly message: number;
  /** Of the sender and of the keeper for a record. */
  readonly record: number;
  /** Of both sides for a connection and all that comes with it. */
  readonly meeting: number;
}

/** What a node is asked to do. */
export interface Workload {
  readonly nodes: number;
  readonly keys: number;
  readonly lookupsPerHour: number;
}

/** What that costs a node in an hour. */
export interface Prediction extends Workload {
  readonly messages: number;
  readonly bytes: number;
  readonly cpuSeconds: number;
  readonly connections: number;
  readonly records: number;
}

/** Takes the costs from the cluster of twenty; what is predicted for others is not fitted to them. */
export function costsOf(idle: Idle, bulk: BulkResult, again: ReprovideResult): Costs {
  const perRecord = (bulk.cpuSeconds + (bulk.receiversCpuSeconds ?? 0)) / (bulk.keys * 19);
  return {
    message: idle.cpu / idle.messages,
    record: Math.max(perRecord, again.cpuSeconds / (again.keys * 19)),
    meeting: idle.meetingSeconds,
  };
}

/** Messages that a node receives in a second while nothing happens: pings, their echoes, walks. */
export function idleMessages(nodes: number): number {
  const peers = nodes - 1;
  const pings = Math.min(peers / PING_INTERVAL_S, MAX_PINGS_PER_SECOND);
  const walks = 2 * Math.min(peers, REPLICAS) / WALK_INTERVAL_S;
  // As many questions as a node puts it is put, and each has an answer.
  return 2 * (pings + walks);
}

/** What a node of such a cluster does in an hour. */
export function predict(work: Workload, costs: Costs): Prediction {
  const { nodes, keys, lookupsPerHour } = work;
  const peers = nodes - 1;
  const keepers = Math.min(peers, REPLICAS);
  const connections = Math.min(peers, MAX_CONNECTIONS);
  const unconnected = 1 - connections / Math.max(peers, 1);
  const rounds = 3600 / REPROVIDE_INTERVAL_S;
  const records = rounds * keys * keepers;
  const portions = rounds * Math.max(MIN_PORTIONS, Math.ceil(keys / PORTION));
  // A portion's keys lie together: their keepers are few more than twenty.
  const parcels = portions * Math.min(peers, 1.5 * REPLICAS);
  const acknowledgements = Math.max(parcels, records / BATCH);
  const regions = nodes > REPLICAS ? Math.min(portions, rounds * REGIONS * 2) * REPLICAS : 0;
  const lookups = lookupsPerHour * Math.min(ASKED, peers);
  const questions = 2 * (acknowledgements + regions + lookups);
  const idle = 3600 * idleMessages(nodes);
  const dials = unconnected * (parcels + regions + lookups * unconnected ** REPLICAS);
  return {
    ...work,
    messages: idle + records + questions,
    bytes: idle * PING_BYTES + records * RECORD_BYTES +
      2 * (regions + lookups) * ANSWER_BYTES / 2,
    cpuSeconds: costs.message * (idle + questions) + costs.record * records +
      costs.meeting * dials,
    connections,
    // Whatever the size of the cluster: each key is kept twenty times.
    records: keys * keepers,
  };
}

/** Predicted against measured, of a cluster that the costs were not taken from. */
export interface Check {
  readonly nodes: number;
  readonly what: string;
  readonly measured: number;
  readonly predicted: number;
}

/** The model's error as a share of what was measured. */
export function errorOf({ measured, predicted }: Check): number {
  return (predicted - measured) / measured;
}

/** Compares with fleets that did nothing. */
export function checkIdle(fleets: readonly Idle[], costs: Costs): Check[] {
  return fleets.flatMap(({ nodes, cpu, messages }) => [
    { nodes, what: "messages/s", measured: messages, predicted: idleMessages(nodes) },
    {
      nodes,
      what: "ms of a core/s",
      measured: cpu * 1000,
      predicted: idleMessages(nodes) * costs.message * 1000,
    },
  ]);
}
