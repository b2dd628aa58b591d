import { type JWTPayload, jwtVerify, SignJWT } from "jose";
import { LRUCache } from "lru-cache";
import type { Digest } from "../oci/digest.ts";
import { ANSWER_HEADERS, REQUEST_HEADERS } from "../oci/peer_protocol.ts";
import type { Clock } from "../ports/clock.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Log } from "../ports/log.ts";
import type { NodeRequest, PeerAuth, PeerProof } from "../ports/access.ts";
import { canonicalIp } from "../net/ip.ts";
import { UsedProofs } from "./used_proofs.ts";

/** Not `Authorization`, which may hold credentials of the mirror already. */
const { token: TOKEN_HEADER } = REQUEST_HEADERS;
const TERM = /^[\w-]{8,64}$/;
/** Nodes whose terms are remembered. */
const MAX_TERMS = 4096;
/** How long a token is valid, s. */
const LIFE_S = 30;
/** How far the clocks of two nodes may differ, s; a part of that is already reported. */
const CLOCK_TOLERANCE_S = 60;
const CLOCK_REPORT_S = 5;
const REPORT_EVERY_MS = 60_000;
/** A token of Eddy has about 400 characters. */
const MAX_TOKEN_LENGTH = 2048;
/** Characters of a key: 32 bytes in hexadecimal or base64 have more. */
const MIN_KEY_LENGTH = 32;
const MAX_KEYS = 2;

/**
 * Reads the keys of a key file, one a line. The first one signs; a second one is valid too, so that
 * a key can be replaced on one node after the other. Blank lines and comments (`#`) are skipped.
 *
 * @throws {Error} says what is wrong, without any key.
 */
export function parseClusterKeys(text: string): string[] {
  const keys = text.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (keys.length === 0) throw new Error("it has no key");
  if (keys.length > MAX_KEYS) {
    throw new Error(`it has ${keys.length} keys, at most ${MAX_KEYS} work`);
  }
  if (keys.some((key) => key.length < MIN_KEY_LENGTH)) {
    throw new Error(`a key has less than ${MIN_KEY_LENGTH} characters`);
  }
  return keys;
}

/** Settings of {@link ClusterKey}. */
export interface ClusterKeyOptions {
  /** Peer id of this node, which tokens for it must name. */
  readonly self: string;
  /** This node's IP addresses, of which they must name one; asked for at each token. */
  readonly addresses: () => readonly string[];
  /** Time of day, ms since 1970; default the system's. */
  readonly today?: () => number;
}

/**
 * Proves to peers, and lets them prove, that a node has the cluster's key: by a token (HS256, RFC
 * 7519) that is valid for one request to one node for 30 s. It names the address at which the node
 * is asked: the index does not verify the address of a peer, and a node that gets a request meant
 * for another must not be able to pass it on. It also names the node's term, which changes at each
 * of its starts, so that a token cannot be used again after a restart. A node whose token names
 * another term is told the current one.
 */
export class ClusterKey implements PeerAuth {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #self: string;
  readonly #addresses: () => readonly string[];
  readonly #today: () => number;
  readonly #used: UsedProofs;
  /** Terms of other nodes, by id and address: another host may answer in a node's place. */
  readonly #terms = new LRUCache<string, string>({ max: MAX_TERMS });
  #keys: readonly Uint8Array[] = [];
  #reportedAt = -Infinity;

  /** @param keys as {@link parseClusterKeys} gives them. */
  constructor(
    keys: readonly string[],
    { clock, log }: Pick<Runtime, "clock" | "log">,
    { self, addresses, today = Date.now }: ClusterKeyOptions,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#self = self;
    this.#addresses = addresses;
    this.#today = today;
    const goodForMs = (LIFE_S + 2 * CLOCK_TOLERANCE_S) * 1000;
    this.#used = new UsedProofs({ clock, today }, { goodForMs });
    this.replace(keys);
  }

  /** Replaces the keys. */
  replace(keys: readonly string[]): void {
    this.#keys = keys.map((key) => new TextEncoder().encode(key));
  }

  /** {@inheritDoc PeerAuth.sign} */
  async sign({ method, path, peer, address }: NodeRequest): Promise<PeerProof> {
    const id = crypto.randomUUID();
    const term = this.#terms.get(termKey({ peer, address }));
    const claims = { m: method, p: path, a: canonicalIp(address), b: term, jti: id };
    return { id, term, headers: { [TOKEN_HEADER]: await this.#sign(claims, peer) } };
  }

  /** {@inheritDoc PeerAuth.renew} */
  renew(
    request: NodeRequest,
    { term }: PeerProof,
    headers: { get(name: string): string | null },
  ): boolean {
    const told = headers.get(ANSWER_HEADERS.term);
    if (told === null || told === term || !TERM.test(told)) return false;
    this.#terms.set(termKey(request), told);
    return true;
  }

  /** {@inheritDoc PeerAuth.refusal} */
  refusal(headers: Headers): Record<string, string> {
    return headers.has(TOKEN_HEADER) ? { [ANSWER_HEADERS.term]: this.#used.term } : {};
  }

  /** {@inheritDoc PeerAuth.verify} */
  async verify(
    { method, path, headers }: { method: string; path: string; headers: Headers },
  ): Promise<string | undefined> {
    const claims = await this.#verify(headers.get(TOKEN_HEADER), {
      audience: this.#self,
      required: ["jti", "m", "p", "a"],
    });
    if (claims === undefined) return undefined;
    const { m, p, a, b, jti = "", iat = 0, iss = "" } = claims;
    if (m !== method || p !== path) return undefined;
    if (!this.#addresses().some((own) => canonicalIp(own) === a)) return undefined;
    this.#compareClocks(this.#today() / 1000 - iat, iss);
    return this.#used.use(jti, b) ? jti : undefined;
  }

  /** {@inheritDoc PeerAuth.signAnswer} */
  async signAnswer(id: string, digest: Digest, tagTime?: string): Promise<Record<string, string>> {
    return { [ANSWER_HEADERS.proof]: await this.#sign({ d: digest, t: tagTime }, id) };
  }

  /** {@inheritDoc PeerAuth.verifyAnswer} */
  async verifyAnswer(
    id: string,
    { digest, headers }: { digest: Digest; headers: { get(name: string): string | null } },
  ): Promise<boolean> {
    const token = headers.get(ANSWER_HEADERS.proof);
    const claims = await this.#verify(token, { audience: id, required: ["d"] });
    const { d, t = null } = claims ?? {};
    return d === digest && t === headers.get(ANSWER_HEADERS.tagTime);
  }

  async #sign(claims: JWTPayload, audience: string): Promise<string> {
    const [key] = this.#keys;
    if (key === undefined) throw new Error("there is no cluster key");
    const now = Math.floor(this.#today() / 1000);
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256" })
      .setAudience(audience)
      .setIssuer(this.#self)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFE_S)
      .sign(key);
  }

  /** The claims of a token, if it was made with one of the keys, for this node and not long ago. */
  async #verify(
    token: string | null,
    { audience, required }: { readonly audience: string; readonly required: readonly string[] },
  ): Promise<JWTPayload | undefined> {
    if (token === null || token.length > MAX_TOKEN_LENGTH) return undefined;
    for (const key of this.#keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          audience,
          currentDate: new Date(this.#today()),
          clockTolerance: CLOCK_TOLERANCE_S,
          requiredClaims: ["iat", "exp", "iss", ...required],
        });
        const { iat = 0, exp = 0 } = payload;
        // A token from the future would be valid for longer than it is remembered.
        const isEarly = iat - CLOCK_TOLERANCE_S > this.#today() / 1000;
        return isEarly || exp - iat > LIFE_S ? undefined : payload;
      } catch {
        // It was made with the other key, for another node, or without a key.
      }
    }
    return undefined;
  }

  #compareClocks(differenceS: number, peer: string): void {
    // A token has some age when it arrives.
    if (differenceS > -CLOCK_REPORT_S && differenceS < LIFE_S + CLOCK_REPORT_S) return;
    if (this.#clock.now() - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = this.#clock.now();
    this.#log.warn("the clocks of two nodes differ; from 60 s on they refuse each other", {
      peer,
      differenceS: Math.round(differenceS),
    });
  }
}

function termKey({ peer, address }: Pick<NodeRequest, "peer" | "address">): string {
  return `${peer} ${canonicalIp(address)}`;
}
