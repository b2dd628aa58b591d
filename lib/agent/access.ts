import { Authorizer } from "../access/authorizer.ts";
import { keepRepositories, loadRepositories } from "../access/keep_repositories.ts";
import { keepReach, loadReach } from "../access/keep_reach.ts";
import { Inquiries } from "../access/inquiries.ts";
import type { Knowledge } from "../access/knowledge.ts";
import { pingRegistries } from "../access/ping_registries.ts";
import { createLocalClients, type IsLocalClient } from "../access/local_clients.ts";
import { type PrivateImages, Repositories } from "../access/repositories.ts";
import { StrangerReports } from "../access/report_strangers.ts";
import { RepositoryContent } from "../access/repository_content.ts";
import { type LeavesTag, RuntimeReach, type UnaskedRegistry } from "../access/runtime_reach.ts";
import { watchContent } from "../access/watch_content.ts";
import { inBackground } from "../async/in_background.ts";
import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import type { Watcher } from "../ports/watcher.ts";
import type { Access, AnswerObserver, Upstream } from "../ports/access.ts";
import { createUpstream, type HttpUpstream } from "../upstream/create_upstream.ts";
import { configuredRegistries, registriesOf } from "./known_registries.ts";
import { openNodeFiles } from "./node_credentials.ts";
import type { StopStack } from "./stop_stack.ts";
import { TrustedAuthorities } from "./trusted_authorities.ts";
import {
  configuredEndpoints,
  withAuthorities,
  withConfiguredAccess,
  withServerCredentials,
} from "./upstream_endpoints.ts";

/** Names of files in the data directory. */
const REPOSITORIES_FILE = "private-repositories.json";
const REGISTRIES_FILE = "upstream-registries.json";

/** Access control of an agent. */
export interface AgentAccess {
  /** Undefined: every client may have everything, and tags are resolved from what nodes hold. */
  readonly access: Access | undefined;
  /** Recognizes clients on this node by their IP addresses. */
  readonly isLocalClient: IsLocalClient;
  /** Reports clients that are not on this node; told of the router, it does not report peers. */
  readonly strangers: Pick<StrangerReports, "attach">;
  /** Follows what clients of this node are answered; undefined: upstream is not asked. */
  readonly answers: AnswerObserver | undefined;
  /** The registries that this node cannot ask. */
  readonly unaskedRegistries: () => readonly UnaskedRegistry[];
  /** Watches the store, and records the repositories of new content. */
  readonly watcher: Watcher;
  /** Whether the name of a repository is public; undefined: all are. */
  readonly isPublic: ((repository: string) => boolean) | undefined;
}

/** What {@link createAccess} works with. */
export interface AccessCollaborators extends Runtime {
  readonly watcher: Watcher;
  readonly store: Pick<Store, "descriptor" | "updatedAt">;
  readonly registryConfigPath: string | undefined;
  readonly stack: StopStack;
}

/** Whether agents with this configuration ask upstream registries at all. */
export function asksUpstream(config: Config): boolean {
  const { auto, patterns } = privateImagesOf(config);
  return verifiesTags(config) || auto || patterns.length > 0;
}

function verifiesTags({ tagPolicy, resolveTags }: Config): boolean {
  return tagPolicy === "verify" && resolveTags;
}

/**
 * Creates access control for private images and tags, if the configuration asks for any.
 *
 * @throws {ConfigError} for invalid local clients or unusable credentials.
 */
export async function createAccess(
  config: Config,
  collaborators: AccessCollaborators,
): Promise<AgentAccess> {
  const { watcher, store, clock, log, metrics } = collaborators;
  const isLocalClient = localClients(config);
  const strangers = new StrangerReports(isLocalClient, { clock, log });
  const privateImages = privateImagesOf(config);
  const verifyTags = verifiesTags(config);
  const localOnly = config.clusterKeyFile !== undefined;
  if (!asksUpstream(config) && !localOnly) {
    return { ...NOTHING_ASKED, isLocalClient, strangers, watcher };
  }
  const opened = await openUpstream(config, collaborators);
  const { nodeCredentials } = opened;
  const reach = await openReach(config, collaborators);
  const upstream = observed(opened.upstream, reach);
  const knowledge = await openKnowledge(config, privateImages, collaborators);
  const inquiries = startInquiries(knowledge, upstream, collaborators);
  if (verifyTags && config.unverifiedTags === "auto") {
    startPings(config, { ...collaborators, ...knowledge, reach, ping: opened.ping });
  }
  const access = new Authorizer({
    ...knowledge,
    upstream,
    inquiries,
    isLocalClient: strangers.isLocalClient,
    nodeCredentials,
    leaves: leavesOf(config, reach),
    clock,
    log,
    metrics,
  }, {
    verifyTags,
    tagTtlMs: config.tagTtl,
    privateTtlMs: config.privateTtl,
    allowOffline: config.privateOffline === "allow",
    auto: privateImages.auto,
    localOnly,
  });
  return {
    access,
    answers: reach,
    unaskedRegistries: () => reach.report(),
    isLocalClient,
    strangers,
    isPublic: !privateImages.auto && privateImages.patterns.length === 0
      ? undefined
      : (name) => knowledge.repositories.allowsAnonymousPull(name),
    watcher: watchContent(watcher, { ...knowledge, store, log, onChange: () => inquiries.wake() }),
  };
}

const NOTHING_ASKED = {
  access: undefined,
  answers: undefined,
  unaskedRegistries: () => [],
  isPublic: undefined,
};

/** Which tags are left to the runtime while upstream cannot be asked. */
function leavesOf({ unverifiedTags }: Config, reach: RuntimeReach): LeavesTag {
  switch (unverifiedTags) {
    case "auto":
      return (reference, options) => reach.leaves(reference, options);
    case "serve":
      return () => Promise.resolve(false);
    case "refuse":
      return () => Promise.resolve(true);
  }
}

/** Tells what comes of each question to upstream. */
function observed(upstream: Upstream, reach: Pick<RuntimeReach, "observe">): Upstream {
  return {
    async head(path, options) {
      const answer = await upstream.head(path, options);
      reach.observe(path.reference.registry, answer);
      return answer;
    },
  };
}

/** Opens the upstream client, with the credentials that the node has for upstream registries. */
async function openUpstream(
  config: Config,
  { registryConfigPath, clock, log, stack }: AccessCollaborators,
) {
  const { images, servers } = await openNodeFiles(config, { clock, log });
  const authorities = new TrustedAuthorities(config.upstreamCa, { clock, log });
  const configured = configuredEndpoints({ ...config, registryConfigPath }, { clock, log });
  const endpoints = withServerCredentials(withAuthorities(configured, authorities), servers);
  const upstream = createUpstream({ clock, log, endpoints }, { budgetMs: config.upstreamTimeout });
  stack.push("upstream client", () => upstream.close());
  const ping: HttpUpstream["ping"] = (registry, options) => upstream.ping(registry, options);
  return { upstream, ping, nodeCredentials: withConfiguredAccess(images, endpoints) };
}

/** Loads the known repositories from the data directory, and saves them there from now on. */
async function openKnowledge(
  { dataDir }: Config,
  privateImages: PrivateImages,
  { log, clock, stack }: AccessCollaborators,
): Promise<Knowledge> {
  const knowledge = {
    repositories: new Repositories(clock, privateImages),
    content: new RepositoryContent(),
  };
  if (dataDir === undefined || !privateImages.auto) return knowledge;
  const path = `${dataDir}/${REPOSITORIES_FILE}`;
  await loadRepositories({ ...knowledge, log }, path);
  const stop = new AbortController();
  const kept = keepRepositories({ ...knowledge, clock, log }, { path, signal: stop.signal });
  stack.push("list of private repositories", () => {
    stop.abort();
    return kept;
  });
  return knowledge;
}

/** Loads what is known of registries from the data directory, and saves it there from now on. */
async function openReach(
  { dataDir }: Config,
  { store, clock, log, stack }: AccessCollaborators,
): Promise<RuntimeReach> {
  const reach = new RuntimeReach({ store, clock, log });
  if (dataDir === undefined) return reach;
  const path = `${dataDir}/${REGISTRIES_FILE}`;
  await loadReach({ reach, log }, path);
  const stop = new AbortController();
  const kept = keepReach({ reach, clock, log }, { path, signal: stop.signal });
  stack.push("list of registries", () => {
    stop.abort();
    return kept;
  });
  return reach;
}

/** Starts asking upstream in the background whether content is private. */
function startInquiries(
  knowledge: Knowledge,
  upstream: Upstream,
  { clock, log, metrics, stack }: AccessCollaborators,
): Inquiries {
  const inquiries = new Inquiries({ ...knowledge, upstream, clock, log, metrics });
  stack.push(
    "questions about what is held",
    inBackground(
      (options) => inquiries.run(options),
      (error) => log.error("upstream is no longer asked in the background", { error }),
    ),
  );
  return inquiries;
}

/** Starts asking the registries that this node knows whether they answer. */
function startPings(
  config: Config,
  { registryConfigPath, repositories, reach, ping, clock, log, stack }:
    & AccessCollaborators
    & Pick<Knowledge, "repositories">
    & { readonly reach: RuntimeReach; readonly ping: HttpUpstream["ping"] },
): void {
  const registries = async () => {
    const configured = await configuredRegistries(config, registryConfigPath);
    return [...new Set([...configured, ...registriesOf(repositories.held())])];
  };
  stack.push(
    "questions whether registries answer",
    inBackground(
      (options) => pingRegistries({ registries, ping, reach, clock, log }, options),
      (error) => log.error("registries are no longer asked whether they answer", { error }),
    ),
  );
}

function privateImagesOf({ privateImages, publicImages }: Config): PrivateImages {
  return {
    publicPatterns: publicImages,
    auto: privateImages.includes("auto"),
    patterns: privateImages.filter((pattern) => pattern !== "auto" && pattern !== "share"),
  };
}

function localClients(config: Config): IsLocalClient {
  try {
    return createLocalClients(
      config.localClients,
      () => Deno.networkInterfaces(),
    );
  } catch (error) {
    throw new ConfigError(`--local-clients: ${messageOf(error)}`);
  }
}
