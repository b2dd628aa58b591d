import type { Idle } from "./idle.ts";
import type { BulkResult, ReprovideResult } from "./scenarios.ts";

/** The router's constants (lib/router). */
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
/** Peers asked by a lookup if there are only one or two records. */
const ASKED = 8;
/** Bytes of a record, of a query or ping with its answer, of an answer with 20 peers. */
const RECORD_BYTES = 130;
const PING_BYTES = 60;
const ANSWER_BYTES = 1500;

/** Unit costs, measured in the same run. */
export interface Costs {
  /** CPU seconds of an idle node per message. */
  readonly message: number;
  /** CPU seconds of sender and receiver per record. */
  readonly record: number;
  /** CPU seconds of both sides per connection, including identify. */
  readonly meeting: number;
}

/** Load of a node. */
export interface Workload {
  readonly nodes: number;
  readonly keys: number;
  readonly lookupsPerHour: number;
}

/** Predicted cost of that load for a node per hour. */
export interface Prediction extends Workload {
  readonly messages: number;
  readonly bytes: number;
  readonly cpuSeconds: number;
  readonly connections: number;
  readonly records: number;
}

/**
 * Derives the unit costs from the cluster of twenty; predictions for other sizes are not fitted to
 * them.
 */
export function costsOf(idle: Idle, bulk: BulkResult, again: ReprovideResult): Costs {
  const perRecord = (bulk.cpuSeconds + (bulk.receiversCpuSeconds ?? 0)) / (bulk.keys * 19);
  return {
    message: idle.cpu / idle.messages,
    record: Math.max(perRecord, again.cpuSeconds / (again.keys * 19)),
    meeting: idle.meetingSeconds,
  };
}

/** Messages that an idle node receives per second: pings, their echoes, walks. */
export function idleMessages(nodes: number): number {
  const peers = nodes - 1;
  const pings = Math.min(peers / PING_INTERVAL_S, MAX_PINGS_PER_SECOND);
  const walks = 2 * Math.min(peers, REPLICAS) / WALK_INTERVAL_S;
  // A node receives as many queries as it sends, and each has an answer.
  return 2 * (pings + walks);
}

/** Predicts the hourly cost of a node in such a cluster. */
export function predict(work: Workload, costs: Costs): Prediction {
  const { nodes, keys, lookupsPerHour } = work;
  const peers = nodes - 1;
  const keepers = Math.min(peers, REPLICAS);
  const connections = Math.min(peers, MAX_CONNECTIONS);
  const unconnected = 1 - connections / Math.max(peers, 1);
  const rounds = 3600 / REPROVIDE_INTERVAL_S;
  const records = rounds * keys * keepers;
  const portions = rounds * Math.max(MIN_PORTIONS, Math.ceil(keys / PORTION));
  // The keys of a portion are close together: little more than twenty peers store them.
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
    // Independent of the cluster's size: each key is stored twenty times.
    records: keys * keepers,
  };
}

/** Prediction and measurement for a cluster from which no costs were derived. */
export interface Check {
  readonly nodes: number;
  readonly what: string;
  readonly measured: number;
  readonly predicted: number;
}

/** The model's relative error. */
export function errorOf({ measured, predicted }: Check): number {
  return (predicted - measured) / measured;
}

/** Compares the model with idle fleets. */
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
