import { systemClock } from "../../lib/async/clock.ts";
import {
  createMirror,
  type HttpMirror,
  type MirrorCollaborators,
} from "../../lib/mirror/mirror.ts";
import type { MirrorOptions } from "../../lib/mirror/options.ts";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import type { MirrorHit, MirrorMiss, MirrorRequest } from "../../lib/ports/mirror.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { MemoryRouter } from "../fakes/router.ts";
import { FaultPeer, type Faults } from "./fault_peer.ts";

/** Windows short enough for tests; the lookup may take long, machines under test are busy. */
const QUICK: Partial<MirrorOptions> = {
  resolveTimeoutMs: 400,
  responseTimeoutMs: 400,
  headerBudgetMs: 800,
  hedgeMinMs: 150,
  stallWindowMs: 100,
  slowWindowMs: 150,
  giveUpMs: 600,
};

/** For tests that count who is asked: on a busy machine an honest answer may take its time. */
export const PATIENT: Partial<MirrorOptions> = {
  hedgeMinMs: 5000,
  responseTimeoutMs: 10_000,
  headerBudgetMs: 10_000,
};

/** Blobs are passed on as they come, however small they are, as only larger ones are otherwise. */
export const STREAMED: Partial<MirrorOptions> = { verifyWholeBytes: 0 };

/** A mirror with a fake router and real peers on loopback. */
export class Rig implements AsyncDisposable {
  readonly router = new MemoryRouter();
  readonly log = new MemoryLog();
  readonly metrics = memoryMetrics();
  readonly mirror: HttpMirror;
  readonly peers: FaultPeer[] = [];

  constructor(
    options: Partial<MirrorOptions> = {},
    collaborators: Partial<MirrorCollaborators> = {},
  ) {
    this.mirror = createMirror({
      router: this.router,
      log: this.log,
      metrics: this.metrics,
      clock: systemClock,
      // Equal peers are asked in the order in which they were added.
      random: () => 0,
      ...collaborators,
    }, { ...QUICK, ...options });
  }

  /** Starts a peer that holds some content under its digest, or `key`, and is found for it. */
  add(
    content: Uint8Array<ArrayBuffer>,
    faults: Faults = {},
    key: string = digestOf(content),
  ): FaultPeer {
    const digest = digestOf(content);
    const tag = key.slice(key.lastIndexOf(":") + 1);
    const held = new Map([[digest as string, content], [tag, content]]);
    const peer = new FaultPeer(`peer-${this.peers.length}`, held, faults);
    this.peers.push(peer);
    this.router.provide(key, peer.peer);
    return peer;
  }

  async fetch(
    request: MirrorRequest,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<MirrorHit | MirrorMiss> {
    return await this.mirror.fetch(request, { signal });
  }

  /** Reasons of the switches so far. */
  get switches(): unknown[] {
    return this.metrics.calls.filter(([name]) => name === "peerSwitched").map(([, why]) => why);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror.close();
    for (const peer of this.peers) await peer[Symbol.asyncDispose]();
  }
}

/** A request for a blob. */
export function blob(digest: Digest, range?: string): MirrorRequest {
  const reference = { registry: "docker.io", repository: "library/app", digest };
  return { kind: "blob", method: "GET", reference, ...(range === undefined ? {} : { range }) };
}

/** A request for a manifest by tag or digest. */
export function manifest(method: "GET" | "HEAD", identifier: string): MirrorRequest {
  const name = { registry: "docker.io", repository: "library/app" };
  const reference = identifier.startsWith("sha256:")
    ? { ...name, digest: identifier as Digest }
    : { ...name, tag: identifier };
  return { kind: "manifest", method, reference };
}

/** Bytes that repeat nowhere nearby. */
export function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** All bytes of a hit. */
export async function bytesOf(answer: MirrorHit | MirrorMiss): Promise<Uint8Array> {
  if (!answer.found) throw new Error(`miss: ${answer.reason} after ${answer.attempts}`);
  return new Uint8Array(await new Response(answer.body).arrayBuffer());
}
