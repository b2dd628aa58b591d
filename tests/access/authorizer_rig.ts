import { Authorizer } from "../../lib/access/authorizer.ts";
import type { AuthorizerOptions } from "../../lib/access/authorizer_settings.ts";
import { Inquiries } from "../../lib/access/inquiries.ts";
import { createLocalClients } from "../../lib/access/local_clients.ts";
import type { LeavesTag } from "../../lib/access/runtime_reach.ts";
import { Repositories } from "../../lib/access/repositories.ts";
import { RepositoryContent } from "../../lib/access/repository_content.ts";
import { watchContent } from "../../lib/access/watch_content.ts";
import type { Credentials } from "../../lib/oci/credentials.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { type DistributionPath, formatDistributionPath } from "../../lib/oci/path.ts";
import type {
  Admission,
  NodeCredentials,
  Outsider,
  Upstream,
  UpstreamAnswer,
  UpstreamTrouble,
} from "../../lib/ports/access.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";

export const USER: Credentials = { username: "user", password: "right" };
export const WRONG: Credentials = { username: "user", password: "wrong" };
export const LOCAL = "127.0.0.1";

/** A digest by a letter. */
export function digestOf(letter: string): Digest {
  return `sha256:${letter.repeat(64)}`;
}

/** Digests of what upstreams hold. */
export const A = digestOf("a");
export const B = digestOf("b");
export const C = digestOf("c");
export const D = digestOf("d");
export const E = digestOf("e");

/** A repository of everybody's, and a private one. */
export const OPEN = "docker.io/library/open";
export const CLOSED = "ghcr.io/acme/closed";

/** Trouble of upstream that passes. */
export const OUTAGES: readonly UpstreamTrouble[] = [
  "timeout",
  "unreachable",
  "unresolved",
  "broken",
  "limited",
  "circuit-open",
];

/** What an upstream in memory holds: by `registry/repository`, tags and digests. */
export interface Holding {
  readonly private?: boolean;
  /** Its registry wants authentication of everybody, so it says 404 for what is not to be seen. */
  readonly guarded?: boolean;
  /** What its tags point to; may be moved. */
  readonly tags: Record<string, Digest>;
  /** Manifests and blobs. */
  readonly digests: readonly Digest[];
}

/** What is in {@link OPEN} and {@link CLOSED}. */
export function holdings(): Record<string, Holding> {
  return {
    [OPEN]: { tags: { v1: A }, digests: [A, B] },
    [CLOSED]: { private: true, tags: { v1: C }, digests: [C, D] },
  };
}

/** Registries of origin in memory, which note each question. */
export class MemoryUpstream implements Upstream {
  readonly questions: string[] = [];
  trouble: UpstreamTrouble | undefined;
  readonly holdings: Record<string, Holding>;

  constructor(holdings: Record<string, Holding>) {
    this.holdings = holdings;
  }

  head(
    path: DistributionPath,
    { credentials }: { credentials?: Credentials },
  ): Promise<UpstreamAnswer> {
    const who = credentials === undefined ? "anybody" : credentials.password;
    this.questions.push(`${who} ${formatDistributionPath(path)}`);
    return Promise.resolve(this.#answer(path, credentials));
  }

  #answer(
    { reference }: DistributionPath,
    credentials: Credentials | undefined,
  ): UpstreamAnswer {
    if (this.trouble !== undefined) return { type: "unavailable", reason: this.trouble };
    const holding = this.holdings[`${reference.registry}/${reference.repository}`];
    if (holding === undefined) return { type: "denied" };
    if (holding.private && credentials?.password !== USER.password) return { type: "denied" };
    const digest = reference.digest ?? holding.tags[reference.tag ?? ""];
    const known = digest !== undefined &&
      (holding.digests.includes(digest) || Object.values(holding.tags).includes(digest));
    const hidden = holding.private === true || holding.guarded === true;
    return known ? { type: "found", digest } : { type: "missing", hidden };
  }
}

/** An authorizer with fakes around it. */
export function authorizerRig(
  holdings: Record<string, Holding>,
  options: Partial<AuthorizerOptions> & {
    patterns?: readonly string[];
    publicPatterns?: readonly string[];
    nodeCredentials?: NodeCredentials;
    leaves?: LeavesTag;
  } = {},
) {
  const clock = new FakeClock();
  const { patterns = [], publicPatterns = [], nodeCredentials, leaves, ...given } = options;
  const settings: AuthorizerOptions = {
    verifyTags: true,
    tagTtlMs: 30_000,
    privateTtlMs: 300_000,
    allowOffline: false,
    auto: true,
    localOnly: false,
    ...given,
  };
  const upstream = new MemoryUpstream(holdings);
  const repositories = new Repositories(clock, { auto: settings.auto, patterns, publicPatterns });
  const content = new RepositoryContent();
  const metrics = memoryMetrics();
  const log = new MemoryLog();
  const inquiries = new Inquiries({ repositories, content, upstream, clock, log, metrics });
  /** Of each answer that was served. */
  const entitled: boolean[] = [];
  const authorizer = new Authorizer({
    ...{ upstream, repositories, content, inquiries, clock, log, metrics },
    isLocalClient: createLocalClients([], () => []),
    ...(nodeCredentials && { nodeCredentials }),
    ...(leaves && { leaves }),
  }, settings);
  return {
    ...{ authorizer, upstream, repositories, content, inquiries, clock, metrics, log, entitled },
    /** This node holds an image, as its store says. */
    hold(name: string, ...present: readonly Digest[]): void {
      const [target] = present;
      if (target === undefined) throw new Error("an image has a target");
      const repository = content.held.note({ name, target, present }, () => false);
      content.adopt(present);
      if (repository !== undefined) repositories.hold(repository);
    },
    /** This node holds content of a repository. */
    claim(name: string, digest: Digest): void {
      content.held.claim(digest, name);
      repositories.hold(name);
    },
    /** What an outsider gets: as its path says, or of another digest. */
    async outsider(text: string, outsider: Partial<Outsider> & { digest?: Digest } = {}) {
      const path = pathOf(text);
      const { digest = path.reference.digest, ...rest } = outsider;
      if (digest === undefined) throw new Error("a digest is needed");
      return await authorizer.admitPeer(path, digest, { proven: false, ...rest });
    },
    /**
     * Asks as containerd does: `ghcr.io/acme/app:v1`, `…@sha256:…` or `blob …@sha256:…`. Whether the
     * client is entitled is kept apart.
     */
    async admit(
      text: string,
      credentials?: Credentials,
      clientAddress = LOCAL,
      suspectedPrivate = false,
    ): Promise<Admission> {
      const path = pathOf(text);
      const { signal } = new AbortController();
      const request = { path, credentials, clientAddress, suspectedPrivate };
      const admission = await authorizer.admit(request, { signal });
      if (admission.type !== "serve") return admission;
      const { entitled: isEntitled = false, ...rest } = admission;
      entitled.push(isEntitled);
      return rest;
    },
  };
}

/** Lets a node hear events of its store, which holds this content; yields what is passed on. */
export async function* tell(
  { repositories, content, log, inquiries }: ReturnType<typeof authorizerRig>,
  events: readonly StoreEvent[],
  isHeld: (digest: Digest) => boolean,
): AsyncGenerator<StoreEvent> {
  const source = {
    async *watch() {
      yield* events;
    },
  };
  const watcher = watchContent(source, {
    ...{ repositories, content, log },
    onChange: () => inquiries.wake(),
    store: {
      descriptor: (digest) =>
        Promise.resolve(isHeld(digest) ? { digest, size: 1, mediaType: "x/y" } : undefined),
    },
  });
  yield* watcher.watch({ signal: new AbortController().signal });
}

/** A path from its short form. */
export function pathOf(text: string): DistributionPath {
  const kind = text.startsWith("blob ") ? "blob" : "manifest";
  const match = /^([^/]+)\/([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(text.replace(/^blob /, ""));
  const [, registry = "", repository = "", tag, digest] = match ?? [];
  return {
    kind,
    reference: {
      registry,
      repository,
      ...(tag === undefined ? {} : { tag }),
      ...(digest === undefined ? {} : { digest: digest as Digest }),
    },
  };
}
