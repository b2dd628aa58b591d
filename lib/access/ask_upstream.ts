import type { Credentials } from "../oci/credentials.ts";
import type { DistributionPath } from "../oci/path.ts";
import { formatReference } from "../oci/reference.ts";
import type { Upstream, UpstreamAnswer } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";

/** What {@link askUpstream} works with. */
export interface AskUpstreamCollaborators extends Pick<Runtime, "log" | "metrics"> {
  readonly upstream: Upstream;
}

/** A question to upstream. */
export interface UpstreamQuestion {
  readonly path: DistributionPath;
  /** Undefined: upstream is asked as an anonymous client. */
  readonly credentials: Credentials | undefined;
}

/** Asks upstream, counts the answer and logs it. Rejects only with the signal's reason. */
export async function askUpstream(
  { upstream, metrics, log }: AskUpstreamCollaborators,
  { path, credentials }: UpstreamQuestion,
  options: Cancellable,
): Promise<UpstreamAnswer> {
  // A signal that nothing waits for is not even read: to follow a client costs time.
  const asked = credentials && { signal: options.signal, credentials };
  const answer = await upstream.head(path, asked ?? options);
  metrics.upstreamRequest(answer.type === "unavailable" ? answer.reason : answer.type);
  log.debug("upstream was asked", {
    reference: formatReference(path.reference),
    kind: path.kind,
    withCredentials: credentials !== undefined,
    ...answer,
  });
  return answer;
}
