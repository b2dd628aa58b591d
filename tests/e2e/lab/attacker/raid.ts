import assert from "node:assert/strict";
import { ClusterKey } from "../../../../lib/access/cluster_key.ts";
import { systemClock } from "../../../../lib/async/clock.ts";
import { MemoryLog } from "../../../fakes/log.ts";
import { USER } from "../auth/token_authentication.ts";
import { httpRequest, type HttpRequestOptions } from "../http_request.ts";
import { createImage, type Image } from "../image.ts";
import type { Lab, LabNode } from "../lab.ts";
import { publish, type Published } from "../publish.ts";
import { until } from "../until.ts";
import { UPSTREAM } from "../upstream.ts";
import type { Attacker, Manner, Seen } from "./attacker.ts";

/** Sizes of the layers of all images. */
export const LAYERS = [300_000, 900_000];
/** Marks requests as another node's. */
export const PEER = { "x-spegel-mirrored": "true" };
/** The pull secret that upstream accepts. */
export const RIGHT = { authorization: `Basic ${btoa(`${USER.username}:${USER.password}`)}` };
/** Header of the tokens by which nodes know each other. */
export const TOKEN = "x-eddy-token";
/** The attacker's own image. */
export const IMPOSTOR = createImage({ seed: "somebody else's", layerBytes: LAYERS });

/** What a {@link Raid} needs. */
export interface RaidOptions {
  readonly lab: Lab;
  readonly evil: Attacker;
  /** Undefined: the nodes have none. The attacker does not know it; what nodes would send is made with it. */
  readonly clusterKey: string | undefined;
}

/** Two nodes, an upstream and an attacker, and what attempts are made of. */
export class Raid {
  readonly lab: Lab;
  readonly evil: Attacker;
  readonly clusterKey: string | undefined;
  readonly first: LabNode;
  readonly second: LabNode;
  /** Everything that the attacker was asked. */
  readonly seen: Seen[] = [];
  /** Tokens that were made in the first node's name. */
  readonly signed: string[] = [];

  constructor({ lab, evil, clusterKey }: RaidOptions) {
    this.lab = lab;
    this.evil = evil;
    this.clusterKey = clusterKey;
    this.first = lab.node(1);
    this.second = lab.node(2);
  }

  /** An image that the second node holds and serves to whom it may. */
  async heldBySecond(repository: string): Promise<Published> {
    const published = await publish(this.lab, repository, { layerBytes: LAYERS });
    await this.pull(this.second, repository);
    return published;
  }

  async pull(node: LabNode, repository: string): Promise<void> {
    const reference = `${UPSTREAM}/${repository}:v1`;
    await node.containerd.cri.pull(
      reference,
      repository.startsWith("closed/") ? { auth: USER } : {},
    );
  }

  /** An image at upstream whose digests and tag the attacker is named for. */
  async prepare(repository: string, manner: Manner): Promise<Published> {
    const { evil, lab } = this;
    const published = await publish(lab, repository, { layerBytes: LAYERS });
    const { image, reference } = published;
    // What is public it may well have.
    await evil.behave(manner, { impostor: manner === "private" ? image : IMPOSTOR });
    await evil.announce([reference, ...image.pulled.map(({ digest }) => digest)]);
    return published;
  }

  /** Asks a node, the second unless told otherwise, for something as the attacker. */
  async steal(
    target: string,
    headers: Readonly<Record<string, string>>,
    options: HttpRequestOptions = {},
    node = this.second,
  ): Promise<string> {
    const url = `http://${node.host.address}:5000${pathOf(target)}`;
    const { status, body } = await httpRequest(this.evil.host, url, { ...options, headers });
    if (status === 404 && options.head !== true) assert.match(body, /"errors"/);
    return String(status);
  }

  /**
   * Has the first node ask the attacker for a layer.
   *
   * @returns what it asked with a token for this peer.
   */
  async lure(repository: string, image: Image, audience: string): Promise<Seen[]> {
    await this.evil.behave("empty");
    await this.evil.announce(image.pulled.map(({ digest }) => digest));
    const target = pathOf(`${repository}/${blobOf(image)}`);
    const isFor = (request: Seen) => audienceOf(request) === audience;
    const seen = await this.untilAsked(
      () => this.first.agent.request(target, { headers: RIGHT }),
      (requests) => requests.length > 0 && (this.clusterKey === undefined || requests.some(isFor)),
    );
    return seen.filter(isFor);
  }

  /** Makes requests to both nodes as they were made to the attacker. */
  async repeat(requests: readonly Seen[]): Promise<string> {
    const answers = [];
    for (const { host } of [this.second, this.first]) {
      for (const { path, headers } of requests) {
        const url = `http://${host.address}:5000${path}`;
        const token = { ...PEER, [TOKEN]: headers[TOKEN] ?? assert.fail() };
        answers.push((await httpRequest(this.evil.host, url, { headers: token })).status);
      }
    }
    return only(answers.map(String));
  }

  /** Does something until the attacker is asked by it; gives what it was asked. */
  async untilAsked(
    act: () => Promise<unknown>,
    enough: (seen: readonly Seen[]) => boolean = (seen) => seen.length > 0,
  ): Promise<Seen[]> {
    await this.asked();
    const seen: Seen[] = [];
    await until(async () => {
      await act();
      seen.push(...await this.asked());
      return enough(seen);
    }, { what: "the attacker to be asked", intervalMs: 300 });
    return seen;
  }

  /** Does something until a node says that it found the attacker for a tag, and did not ask it. */
  async untilFound(node: LabNode, tag: string, act: () => Promise<unknown>): Promise<void> {
    const id = await this.evil.id();
    const count = async () =>
      (await node.agent.log()).filter((line) => line["peer"] === id && line["tag"] === tag).length;
    const before = await count();
    await until(async () => {
      await act();
      return await count() > before;
    }, { what: "the attacker to be found", intervalMs: 300 });
    const seen = await this.asked();
    assert.ok(seen.every(({ path }) => !path.includes("/manifests/v1")), "it is not asked");
  }

  async asked(): Promise<Seen[]> {
    const seen = await this.evil.seen();
    this.seen.push(...seen);
    return seen;
  }

  async tokenOrNone(): Promise<string> {
    await this.asked();
    return this.seen.some(({ headers }) => TOKEN in headers) ? "a token" : "there is no token";
  }

  /** The token that the first node would send to the second. */
  async sign(
    { path, key = this.clusterKey ?? "", agoMs = 0 }: {
      readonly path: string;
      readonly key?: string;
      readonly agoMs?: number;
    },
  ): Promise<string> {
    const { address } = this.second.host;
    const signer = new ClusterKey([key], { clock: systemClock, log: new MemoryLog() }, {
      self: await idOf(this.first),
      addresses: () => [],
      today: () => Date.now() - agoMs,
    });
    const peer = await idOf(this.second);
    const request = { method: "GET", path, peer, address };
    // Whoever saw tokens on the way knows the term that they have to name.
    const first = await signer.sign(request);
    const refused = await httpRequest(this.evil.host, `http://${address}:5000${path}`, {
      headers: { ...PEER, ...first.headers },
    });
    signer.renew(request, first, new Headers(refused.headers));
    const { headers } = await signer.sign(request);
    const token = headers[TOKEN] ?? assert.fail("there is no token");
    this.signed.push(token);
    return token;
  }
}

/** Path and query of content, e.g. `open/app/manifests/v1`. */
export function pathOf(target: string): string {
  return `/v2/${target}?ns=${UPSTREAM}`;
}

/** The path of an image's first layer within its repository. */
export function blobOf({ layers }: Image): string {
  return `blobs/${layers[0]?.digest}`;
}

/** The one answer that all are. */
export function only(answers: readonly string[]): string {
  return [...new Set(answers)].join(", ");
}

/** Whether any credentials were sent. */
export function credentialsIn(seen: readonly Seen[]): string {
  const shown = seen.filter(({ headers }) => "authorization" in headers || "cookie" in headers);
  return shown.length === 0 ? "no credentials" : JSON.stringify(shown);
}

/** The peer that a request's token is meant for; undefined if it has none. */
function audienceOf({ headers: { [TOKEN]: token } }: Seen): unknown {
  const [, claims] = token?.split(".") ?? [];
  if (claims === undefined) return undefined;
  return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).aud;
}

/** A node's peer id. */
export async function idOf({ agent }: LabNode): Promise<string> {
  const lines = await agent.log();
  return String(lines.findLast(({ msg }) => msg === "router listens")?.["id"] ?? assert.fail());
}
