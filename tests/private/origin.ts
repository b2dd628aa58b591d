import type { Credentials } from "../../lib/oci/credentials.ts";
import { parseBasicAuthorization } from "../../lib/oci/credentials.ts";
import type { TestImage } from "./test_image.ts";

/** How a registry is today. `slow`: it does not answer an agent before that gives up. */
export type OriginState = "up" | "down" | "slow" | "429";

/** Who asks: somebody without, with the right or with wrong credentials. */
export type Who = "anybody" | "user" | "wrong";

/** Settings of {@link Origin}. */
export interface OriginOptions {
  /** Bearer: with a token server of its own, which anybody must ask; basic: credentials at once. */
  readonly scheme: "bearer" | "basic";
  readonly visibility: "public" | "private";
  readonly image: TestImage;
}

export const RIGHT: Credentials = { username: "puller", password: "correct-horse-battery" };
export const WRONG: Credentials = { username: "puller", password: "something-else" };
export const REPOSITORY = "team/app";
/** Set by the runtime of the tests, so that its requests are told from those of an agent. */
export const RUNTIME_HEADER = "x-test-runtime";
/** What it holds a request at most when it is slow, should nobody give up. */
const HELD_MS = 20_000;

/**
 * A registry of origin on loopback with one image. It authenticates as the distribution and token
 * specifications say, and keeps an access log.
 */
export class Origin implements AsyncDisposable {
  state: Exclude<OriginState, "down"> = "up";
  /** Requests of agents: `METHOD tag|manifest|blob WHO`, `-` for no authorization, `token WHO`. */
  readonly agentLog: string[] = [];
  readonly options: OriginOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #tokens = new Map<string, Who>();
  #running = true;

  constructor(options: OriginOptions) {
    this.options = options;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#serve(request),
    );
  }

  /** As in a reference, `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** The image's full name. */
  get reference(): string {
    return `${this.host}/${REPOSITORY}:v1`;
  }

  /** Whoever connects from now on is refused. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    await this.#server.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #serve(request: Request): Promise<Response> {
    const isRuntime = request.headers.has(RUNTIME_HEADER);
    const { pathname } = new URL(request.url);
    const target = pathname === "/token" ? "token" : this.#target(pathname);
    const who = this.#who(request);
    // Whether it answers at all is asked at any time.
    if (!isRuntime && target !== "/v2/") {
      this.agentLog.push(
        target === "token"
          ? `token ${who ?? "anybody"}`
          : `${request.method} ${target} ${who ?? "-"}`,
      );
    }
    if (this.state === "429") {
      return new Response(null, { status: 429, headers: { "retry-after": "60" } });
    }
    // A runtime waits longer than that.
    if (this.state === "slow" && !isRuntime) await gone(request.signal);
    if (target === "token") return this.#token(who);
    return this.#content(request.method, target, who);
  }

  #target(pathname: string): string {
    const { manifest, layer, signature } = this.options.image;
    switch (pathname.replace(`/v2/${REPOSITORY}/`, "")) {
      case "manifests/v1":
        return "tag";
      case `manifests/${manifest.digest}`:
        return "manifest";
      case `blobs/${layer.digest}`:
        return "blob";
      case `manifests/${signature.digest}`:
        return "signature";
      default:
        return pathname;
    }
  }

  #who(request: Request): Who | undefined {
    const header = request.headers.get("authorization");
    if (header === null) return undefined;
    const token = this.#tokens.get(header.replace(/^Bearer /, ""));
    if (token !== undefined) return token;
    return parseBasicAuthorization(header)?.password === RIGHT.password ? "user" : "wrong";
  }

  #token(who: Who | undefined): Response {
    if (who === "wrong") return Response.json({ errors: [] }, { status: 401 });
    const token = crypto.randomUUID();
    this.#tokens.set(token, who ?? "anybody");
    return Response.json({ token, expires_in: 300 });
  }

  #content(method: string, target: string, who: Who | undefined): Response {
    const { scheme, visibility, image: { manifest, layer, signature } } = this.options;
    const isAnybody = scheme === "basic" || who === "anybody";
    const mayPull = who === "user" || (visibility === "public" && who !== "wrong" && isAnybody);
    if (!mayPull) return this.#challenge();
    const contents = new Map([["tag", manifest], ["manifest", manifest]])
      .set("blob", layer).set("signature", signature);
    const found = contents.get(target);
    if (found === undefined) return Response.json({ errors: [] }, { status: 404 });
    return new Response(method === "HEAD" ? null : found.bytes, {
      headers: {
        "content-length": String(found.bytes.length),
        "content-type": found.mediaType,
        "docker-content-digest": found.digest,
      },
    });
  }

  #challenge(): Response {
    const { scheme } = this.options;
    const challenge = scheme === "basic"
      ? 'Basic realm="origin"'
      : `Bearer realm="http://${this.host}/token",service="origin"`;
    return Response.json({ errors: [] }, {
      status: 401,
      headers: { "www-authenticate": challenge },
    });
  }
}

/** Resolves when whoever asked has gone away. */
async function gone(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, HELD_MS);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
