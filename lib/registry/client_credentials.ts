import { isAuthorized } from "../oci/basic_auth.ts";
import { type Credentials, parseBasicAuthorization } from "../oci/credentials.ts";
import { OciError } from "../oci/error.ts";

/**
 * The credentials that a client sends for upstream, never those for this mirror itself.
 *
 * The answer has no challenge: containerd would follow it by sending the user's credentials for the
 * upstream registry.
 *
 * @param accepted headers of which this mirror itself requires one; empty: it requires none.
 * @param proven the client is a node of the cluster, which needs none of them.
 * @throws {OciError} 401 if it sends none of them.
 */
export function credentialsOf(
  { headers }: Request,
  accepted: readonly string[],
  proven: boolean,
): Credentials | undefined {
  const header = headers.get("authorization");
  if (accepted.length === 0) return parseBasicAuthorization(header);
  if (isAuthorized(header, accepted)) return undefined;
  if (proven) return parseBasicAuthorization(header);
  throw new OciError("UNAUTHORIZED", "credentials of this mirror are missing or wrong", {
    status: 401,
  });
}
