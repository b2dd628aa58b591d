import type { Runtime } from "../ports/runtime.ts";
import type { NodeCredentials, Upstream } from "../ports/access.ts";
import type { Inquiries } from "./inquiries.ts";
import type { IsLocalClient } from "./local_clients.ts";
import type { PrivateImages, Repositories } from "./repositories.ts";
import type { RepositoryContent } from "./repository_content.ts";
import type { LeavesTag } from "./runtime_reach.ts";

/** What an authorizer works with. */
export interface AuthorizerCollaborators extends Runtime {
  readonly upstream: Upstream;
  readonly repositories: Repositories;
  readonly content: RepositoryContent;
  readonly isLocalClient: IsLocalClient;
  /** Asks upstream on behalf of outsiders. */
  readonly inquiries: Pick<Inquiries, "settle">;
  /** The node's credentials, used for local clients that show none; default: none. */
  readonly nodeCredentials?: NodeCredentials;
  /** Tells which tags are left to the runtime while upstream cannot be asked; default: none. */
  readonly leaves?: LeavesTag;
}

/** Settings of an authorizer. */
export interface AuthorizerOptions {
  /** True: upstream decides what a tag points to, as long as it can be asked. */
  readonly verifyTags: boolean;
  /** How long its answer holds, ms. */
  readonly tagTtlMs: number;
  /** How long credentials that upstream accepted are not checked again, ms. */
  readonly privateTtlMs: number;
  /**
   * True: while upstream cannot be asked, credentials that it accepted within 24 hours still are.
   */
  readonly allowOffline: boolean;
  /** False: every repository that no pattern names as private is public. */
  readonly auto: PrivateImages["auto"];
  /** True: only local clients, and requests that claim to be of a node, are served at all. */
  readonly localOnly: boolean;
}
