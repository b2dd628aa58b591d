import { Authorizer } from "../access/authorizer.ts";
import { keepRepositories, loadRepositories } from "../access/keep_repositories.ts";
import { Inquiries } from "../access/inquiries.ts";
import type { Knowledge } from "../access/knowledge.ts";
import { createLocalClients, type IsLocalClient } from "../access/local_clients.ts";
import { type PrivateImages, Repositories } from "../access/repositories.ts";
import { StrangerReports } from "../access/report_strangers.ts";
import { RepositoryContent } from "../access/repository_content.ts";
import { watchContent } from "../access/watch_content.ts";
import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import type { Watcher } from "../ports/watcher.ts";
import type { Access } from "../ports/access.ts";
import { createUpstream } from "../upstream/create_upstream.ts";
import { openNodeFiles } from "./node_credentials.ts";
import type { StopStack } from "./stop_stack.ts";
import {
  configuredEndpoints,
  withConfiguredAccess,
  withServerCredentials,
} from "./upstream_endpoints.ts";

/** In the data directory. */
const REPOSITORIES_FILE = "private-repositories.json";

/** Who may have what, joined with the rest of an agent. */
export interface AgentAccess {
  /** Undefined: what this node holds is anybody's, and tags mean what nodes hold. */
  readonly access: Access | undefined;
  /** Tells clients on this node by their IP addresses. */
  readonly isLocalClient: IsLocalClient;
  /** Reports who is none. */
  readonly strangers: Pick<StrangerReports, "attach">;
  /** The watcher through which it learns which repositories content is of. */
  readonly watcher: Watcher;
  /** Tells whether anybody may know of a repository; undefined: nothing is private. */
  readonly isPublic: ((repository: string) => boolean) | undefined;
}

/** What {@link createAccess} works with. */
export interface AccessCollaborators extends Runtime {
  readonly watcher: Watcher;
  readonly store: Pick<Store, "descriptor">;
  readonly registryConfigPath: string | undefined;
  readonly stack: StopStack;
}

/**
 * Makes what decides about private images and tags, if anything is to be decided.
 *
 * @throws {ConfigError} if a local client is no address or network.
 */
export async function createAccess(
  config: Config,
  { watcher, store, registryConfigPath, log, clock, metrics, stack }: AccessCollaborators,
): Promise<AgentAccess> {
  const privateImages = privateImagesOf(config);
  const verifyTags = config.tagPolicy === "verify" && config.resolveTags;
  const localOnly = config.clusterKeyFile !== undefined;
  const isLocal = localClients(config);
  const strangers = new StrangerReports(isLocal, { clock, log });
  const isOpen = !privateImages.auto && privateImages.patterns.length === 0;
  if (!verifyTags && isOpen && !localOnly) {
    return { access: undefined, isLocalClient: isLocal, strangers, isPublic: undefined, watcher };
  }
  const { images, servers } = await openNodeFiles(config, { clock, log });
  const endpoints = withServerCredentials(
    configuredEndpoints({ ...config, registryConfigPath }, log),
    servers,
  );
  const upstream = createUpstream({ clock, log, endpoints }, { budgetMs: config.upstreamTimeout });
  stack.push("upstream client", () => upstream.close());
  const nodeCredentials = withConfiguredAccess(images, endpoints);
  const knowledge = {
    repositories: new Repositories(clock, privateImages),
    content: new RepositoryContent(),
  };
  if (config.dataDir !== undefined && privateImages.auto) {
    await keep(knowledge, config.dataDir, { log, clock, stack });
  }
  const inquiries = new Inquiries({ ...knowledge, upstream, clock, log, metrics });
  askInBackground(inquiries, { log, stack });
  const { isLocalClient } = strangers;
  return {
    access: new Authorizer(
      {
        ...knowledge,
        ...{ upstream, inquiries, isLocalClient, nodeCredentials, clock, log, metrics },
      },
      {
        verifyTags,
        tagTtlMs: config.tagTtl,
        privateTtlMs: config.privateTtl,
        allowOffline: config.privateOffline === "allow",
        auto: privateImages.auto,
        localOnly,
      },
    ),
    isLocalClient: isLocal,
    strangers,
    watcher: watchContent(watcher, {
      ...{ ...knowledge, store, log },
      onChange: () => inquiries.wake(),
    }),
    isPublic: isOpen ? undefined : (name) => knowledge.repositories.isAnybodys(name),
  };
}

/** Asks upstream about what is held, until the agent stops. */
function askInBackground(
  inquiries: Inquiries,
  { log, stack }: Pick<AccessCollaborators, "log" | "stack">,
): void {
  const stop = new AbortController();
  const asking = inquiries.run(stop)
    .catch((error) => log.error("upstream is no longer asked in the background", { error }));
  stack.push("questions about what is held", () => {
    stop.abort();
    return asking;
  });
}

/** Takes up what is known of repositories from before, and keeps it. */
async function keep(
  knowledge: Knowledge,
  dataDir: string,
  { log, clock, stack }: Pick<AccessCollaborators, "log" | "clock" | "stack">,
): Promise<void> {
  const path = `${dataDir}/${REPOSITORIES_FILE}`;
  await loadRepositories({ ...knowledge, log }, path);
  const stop = new AbortController();
  const kept = keepRepositories({ ...knowledge, clock, log }, { path, signal: stop.signal });
  stack.push("list of private repositories", () => {
    stop.abort();
    return kept;
  });
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
