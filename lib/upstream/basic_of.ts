import { basicAuthorization } from "../oci/basic_auth.ts";
import type { Credentials } from "../oci/credentials.ts";

/** The Basic authorization of credentials; undefined unless they are a user and password. */
export function basicOf(credentials: Credentials | undefined): string | undefined {
  if (credentials === undefined) return undefined;
  const { username, password, identityToken, configured } = credentials;
  const isPair = identityToken === undefined && configured === undefined;
  return isPair ? basicAuthorization(username, password) : undefined;
}
