import type { Runtime } from "../ports/runtime.ts";
import type { NodeCredentials, Upstream } from "../ports/access.ts";
import type { Inquiries } from "./inquiries.ts";
import type { IsLocalClient } from "./local_clients.ts";
import type { PrivateImages, Repositories } from "./repositories.ts";
import type { RepositoryContent } from "./repository_content.ts";

/** What a authorizer works with. */
export interface AuthorizerCollaborators extends Runtime {
  readonly upstream: Upstream;
  readonly repositories: Repositories;
  readonly content: RepositoryContent;
  readonly isLocalClient: IsLocalClient;
  /** Finds out for outsiders what is not known yet. */
  readonly inquiries: Pick<Inquiries, "settle">;
  /** Stands for local clients that show no credentials; default: nothing does. */
  readonly nodeCredentials?: NodeCredentials;
}

/** Settings of a authorizer. */
export interface AuthorizerOptions {
  /** True: upstream says what a tag points to, as long as it can be asked. */
  readonly verifyTags: boolean;
  /** How long its word holds, ms. */
  readonly tagTtlMs: number;
  /** How long credentials that upstream let in are not checked again, ms. */
  readonly privateTtlMs: number;
  /** True: while upstream is away, who was let in within 24 hours still is. */
  readonly allowOffline: boolean;
  /** False: whatever is not named private is anybody's. */
  readonly auto: PrivateImages["auto"];
  /** True: only local clients and who says that it is a node are served at all. */
  readonly localOnly: boolean;
}
