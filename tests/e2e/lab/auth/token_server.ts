/**
 * The token server of the lab's registry: a process of its own, on the registry's host. It gives
 * everybody what is below `open/`, and USER, with the right password, everything (the distribution
 * project's token authentication specification).
 *
 * Arguments: port, private key file, certificate file, issuer, user, password.
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";

const [port = "", keyFile = "", certificateFile = "", issuer = "", user = "", password = ""] =
  Deno.args;
const key = createPrivateKey(await Deno.readTextFile(keyFile));
const certificate = new X509Certificate(await Deno.readTextFile(certificateFile));
const header = { typ: "JWT", alg: "RS256", x5c: [certificate.raw.toString("base64")] };
const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

Deno.serve({ hostname: "0.0.0.0", port: Number(port) }, (request) => {
  // containerd tries OAuth2's POST first when it has credentials, and takes 405 for an answer.
  if (request.method !== "GET") return new Response(null, { status: 405 });
  const url = new URL(request.url);
  const shown = request.headers.get("authorization");
  if (shown !== null && shown !== authorization) {
    return Response.json({ errors: [{ code: "UNAUTHORIZED" }] }, { status: 401 });
  }
  const access = url.searchParams.getAll("scope").flatMap((scope) => {
    const [type, name = "", actions] = scope.split(":");
    const allowed = shown !== null || name.startsWith("open/");
    return allowed && actions?.split(",").includes("pull")
      ? [{ type, name, actions: ["pull"] }]
      : [];
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    ...{ iss: issuer, sub: shown === null ? "" : user, jti: randomUUID(), access },
    ...{ aud: url.searchParams.get("service"), nbf: now - 10, iat: now, exp: now + 300 },
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part(header)}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(body), key).toString("base64url");
  return Response.json({ token: `${body}.${signature}`, expires_in: 300 });
});
