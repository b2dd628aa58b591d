import { isAuthorized } from "../oci/basic_auth.ts";
import { type Credentials, parseBasicAuthorization } from "../oci/credentials.ts";
import { OciError } from "../oci/error.ts";

/**
 * What a client shows for upstream: never what is for this mirror itself.
 *
 * There is no challenge in the answer: containerd would follow it by sending the user's credentials
 * for the upstream registry, which are none of ours.
 *
 * @param accepted what this mirror itself wants to see one of; empty: it wants nothing.
 * @param proven it is a node of the cluster, which need not show that.
 * @throws {OciError} 401 if it shows none of them.
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
