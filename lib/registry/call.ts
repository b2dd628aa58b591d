import type { Credentials } from "../oci/credentials.ts";
import type { DistributionPath } from "../oci/path.ts";
import type { RequestContext } from "./request_context.ts";
import type { ClientPresence } from "./follow_client.ts";

/** A parsed request for content. */
export interface PullRequest {
  readonly method: "GET" | "HEAD";
  readonly path: DistributionPath;
  /** `Range` header, if it applies: to blobs and GET only. */
  readonly range: string | undefined;
  /** The client's credentials. */
  readonly credentials: Credentials | undefined;
}

/** A request as it goes through the steps of a pull. */
export interface Call {
  readonly request: PullRequest;
  readonly context: RequestContext;
  readonly client: ClientPresence;
}
