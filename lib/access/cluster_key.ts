import { jwtVerify, SignJWT } from "jose";
import { LRUCache } from "lru-cache";
import type { Clock, Log } from "../ports.ts";
import type { PeerAuth, PeerRequest } from "../ports/access.ts";

/** Header that carries the proof: `Authorization` may hold credentials of the mirror already. */
const TOKEN_HEADER = "x-eddy-token";
/** How long a token is good, s. */
const LIFE_S = 30;
/** How far clocks of two nodes may differ, s; from a part of that on it is reported. */
const CLOCK_TOLERANCE_S = 60;
const CLOCK_REPORT_S = 5;
const REPORT_EVERY_MS = 60_000;
/** Tokens that were used, each remembered as long as it could be used again. */
const MAX_USED = 200_000;
/** A token of ours has about 400 characters. */
const MAX_TOKEN_LENGTH = 2048;
/** Characters of a key: 32 bytes in hexadecimal or base64 have more. */
const MIN_KEY_LENGTH = 32;
const MAX_KEYS = 2;

/**
 * Reads the keys of a key file: a line each, the first signs, a second one is valid too, so that a
 * key can be replaced on one node after the other. Blank lines and comments (`#`) are left out.
 *
 * @throws {Error} that says what is wrong, without any key.
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
  /** Peer id of this node: whom tokens for it have to name. */
  readonly self: string;
  /** Time of day, ms since 1970; default the system's. */
  readonly today?: () => number;
}

/**
 * Proves to peers, and lets them prove, that a node has the cluster's key: by a token (HS256, RFC
 * 7519) that is good for one request to one node for 30 s.
 */
export class ClusterKey implements PeerAuth {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #self: string;
  readonly #today: () => number;
  readonly #used = new LRUCache<string, true>({
    max: MAX_USED,
    ttl: (LIFE_S + 2 * CLOCK_TOLERANCE_S) * 1000,
    // Else it sets a timer now and then, to look at the time less often.
    ttlResolution: 0,
  });
  #keys: readonly Uint8Array[] = [];
  #reportedAt = -Infinity;

  /** @param keys as {@link parseClusterKeys} gives them. */
  constructor(
    keys: readonly string[],
    { clock, log }: { readonly clock: Clock; readonly log: Log },
    { self, today = Date.now }: ClusterKeyOptions,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#self = self;
    this.#today = today;
    this.replace(keys);
  }

  /** Takes other keys from now on. */
  replace(keys: readonly string[]): void {
    this.#keys = keys.map((key) => new TextEncoder().encode(key));
  }

  /** {@inheritDoc PeerAuth.sign} */
  async sign({ method, path, peer }: PeerRequest): Promise<Record<string, string>> {
    const [key] = this.#keys;
    if (key === undefined) return {};
    const now = Math.floor(this.#today() / 1000);
    const token = await new SignJWT({ m: method, p: path })
      .setProtectedHeader({ alg: "HS256" })
      .setAudience(peer)
      .setIssuer(this.#self)
      .setIssuedAt(now)
      .setExpirationTime(now + LIFE_S)
      .setJti(crypto.randomUUID())
      .sign(key);
    return { [TOKEN_HEADER]: token };
  }

  /** {@inheritDoc PeerAuth.verify} */
  async verify(
    { method, path, headers }: { method: string; path: string; headers: Headers },
  ): Promise<boolean> {
    const token = headers.get(TOKEN_HEADER);
    if (token === null || token.length > MAX_TOKEN_LENGTH) return false;
    for (const key of this.#keys) {
      const now = this.#today();
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ["HS256"],
          audience: this.#self,
          currentDate: new Date(now),
          clockTolerance: CLOCK_TOLERANCE_S,
          requiredClaims: ["iat", "exp", "jti", "iss", "m", "p"],
        });
        const { m, p, jti = "", iat = 0, exp = 0, iss = "" } = payload;
        if (m !== method || p !== path || exp - iat > LIFE_S) return false;
        if (this.#used.has(jti)) return false;
        this.#used.set(jti, true);
        this.#compareClocks(now / 1000 - iat, iss);
        return true;
      } catch {
        // Made with the other key, or not for here, or by nobody who has one.
      }
    }
    return false;
  }

  #compareClocks(differenceS: number, peer: string): void {
    // A token is a moment old when it arrives.
    if (differenceS > -CLOCK_REPORT_S && differenceS < LIFE_S + CLOCK_REPORT_S) return;
    if (this.#clock.now() - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = this.#clock.now();
    this.#log.warn("the clocks of two nodes differ; from 60 s on they refuse each other", {
      peer,
      differenceS: Math.round(differenceS),
    });
  }
}
