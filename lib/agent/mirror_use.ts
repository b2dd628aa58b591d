import { backoff } from "../async/backoff.ts";
import { deadline } from "../async/deadline.ts";
import { createHttpClient } from "../net/http_client.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";

/** Does not exist (RFC 6761, section 6.4), so that nobody else can be meant. */
const NO_REGISTRY = "eddy-probe.invalid";
const PROBE_REPOSITORY = "eddy-probe";
const PROBE_PATH = new RegExp(`^/v2/${PROBE_REPOSITORY}/([0-9a-f-]{36})/`);
/** Deadlines of a pull by containerd, which fails by itself, and of a request, ms. */
const PULL_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 3000;
/** Delays between probes while containerd does not ask, ms: it may be mended at any time. */
const RETRY = { baseMs: 10_000, maxMs: 60_000 };

export interface MirrorUseCollaborators extends Pick<Runtime, "clock" | "log"> {
  /** Has containerd pull an image; rejects when that fails. */
  readonly pull: (reference: string, options: Cancellable) => Promise<unknown>;
}

export interface MirrorUseOptions {
  /** URLs at which containerd reaches this agent; at least one. */
  readonly targets: readonly string[];
  /** A registry that is mirrored; default: one that does not exist. */
  readonly registry?: string | undefined;
  /** What leaves open whether containerd asks, and the remedy. */
  readonly doubt: string;
}

/** Answers requests of one kind, as a server does. */
type Handler<Info> = (request: Request, info: Info) => Response | Promise<Response>;

/**
 * Finds out whether containerd asks this agent, by having it pull an image that does not exist.
 * Needed where its settings, as far as it reports them, leave that open.
 */
export class MirrorUse {
  readonly #collaborators: MirrorUseCollaborators;
  readonly #options: MirrorUseOptions;
  /** Probes whose request has not arrived, and what to do when it does. */
  readonly #awaited = new Map<string, () => void>();
  #asked: boolean | undefined = false;
  /** What was said last of it. */
  #told = "";

  constructor(collaborators: MirrorUseCollaborators, options: MirrorUseOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Whether containerd is known to ask this agent; undefined once that cannot be found out. */
  get asked(): boolean | undefined {
    return this.#asked;
  }

  /** Wraps a handler, which then does not see the requests of probes. */
  intercept<Info>(handle: Handler<Info>): Handler<Info> {
    return (request, info) => {
      const [, name = ""] = PROBE_PATH.exec(new URL(request.url).pathname) ?? [];
      const arrived = this.#awaited.get(name);
      if (arrived === undefined) return handle(request, info);
      arrived();
      return new Response(null, { status: 404 });
    };
  }

  /** Probes until containerd asks, or the signal aborts; then rejects with its reason. */
  async run(options: Cancellable): Promise<void> {
    const delays = backoff(RETRY);
    while (!options.signal.aborted) {
      this.#asked = await this.#probe(options);
      if (this.#asked) return this.#collaborators.log.info("containerd asks this agent");
      this.#warn(
        this.#asked === false
          ? "containerd does not ask this agent, which is not ready"
          : "whether containerd asks this agent cannot be found out",
      );
      await this.#collaborators.clock.sleep(delays.next().value, options);
    }
  }

  #warn(finding: string): void {
    if (finding !== this.#told) this.#collaborators.log.warn(`${finding}: ${this.#options.doubt}`);
    this.#told = finding;
  }

  /** Undefined: not even this process reaches itself as containerd would have to. */
  async #probe(options: Cancellable): Promise<boolean | undefined> {
    const { registry = NO_REGISTRY } = this.#options;
    const asked = await this.#await(PULL_TIMEOUT_MS, options, async (name, limit) => {
      const reference = `${registry}/${PROBE_REPOSITORY}/${name}:probe`;
      await this.#collaborators.pull(reference, limit);
    });
    return asked || (await this.#reachesItself(options) ? false : undefined);
  }

  async #reachesItself(options: Cancellable): Promise<boolean> {
    const [target = ""] = this.#options.targets;
    return await this.#await(REQUEST_TIMEOUT_MS, options, async (name, limit) => {
      const url = new URL(`/v2/${PROBE_REPOSITORY}/${name}/manifests/probe`, target);
      using client = createHttpClient(url, undefined);
      const response = await fetch(url, { ...limit, client, redirect: "error" });
      await response.body?.cancel();
    });
  }

  /** Does something, and tells whether a request came of it. */
  async #await(
    timeoutMs: number,
    options: Cancellable,
    work: (name: string, limit: Cancellable) => Promise<void>,
  ): Promise<boolean> {
    const name = crypto.randomUUID();
    const arrival = new AbortController();
    this.#awaited.set(name, () => arrival.abort(new DOMException("it arrived", "AbortError")));
    try {
      // What has arrived has proved enough: it need not go on to upstream.
      using limit = deadline(timeoutMs, {
        signal: AbortSignal.any([options.signal, arrival.signal]),
      });
      await work(name, limit);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!arrival.signal.aborted) {
        this.#collaborators.log.debug("a probe of the mirror ended", { error });
      }
    } finally {
      this.#awaited.delete(name);
    }
    return arrival.signal.aborted;
  }
}
