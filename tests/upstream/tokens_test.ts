import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { defaultEndpoint } from "../../lib/upstream/endpoint.ts";
import { MisconfiguredError } from "../../lib/upstream/misconfigured_error.ts";
import type { UpstreamRequest } from "../../lib/upstream/send.ts";
import { Tokens } from "../../lib/upstream/tokens.ts";
import { test } from "../support/test.ts";
import { IDENTITY, USER } from "./token_registry.ts";

const HEADERS = { "X-Key": ["k"], "authorization": ["Basic site"] };
const NEVER = new AbortController().signal;

test("a registry that speaks TLS may name no token server that does not", async () => {
  const tokens = new Tokens(
    { send: () => assert.fail("it is asked"), [Symbol.dispose]() {} },
    systemClock,
  );
  const endpoint = defaultEndpoint("r.example");
  for (const realm of ["http://r.example/service/token", "ftp://r.example/", "/token", ""]) {
    const request = { endpoint, realm, service: undefined, scope: "", credentials: USER };
    await assert.rejects(tokens.get(request, { signal: NEVER }), MisconfiguredError, realm);
  }
});

test("configured headers go to token servers at the registry's origin alone", async () => {
  const basic = `Basic ${btoa("user:secret")}`;
  const accept = { accept: "application/json" };
  const cases: [realm: string, credentials: typeof USER | undefined, expected: unknown][] = [
    ["https://r.example/token", undefined, { ...accept, ...HEADERS }],
    ["https://r.example:443/token", USER, { ...accept, "X-Key": ["k"], authorization: basic }],
    ["https://r.example/token", IDENTITY, { ...accept, ...HEADERS }],
    ["https://r.example:8443/token", undefined, accept],
    ["https://auth.example/token", undefined, accept],
    ["https://auth.example/token", USER, { ...accept, authorization: basic }],
  ];
  for (const [realm, credentials, expected] of cases) {
    const sent: UpstreamRequest[] = [];
    const tokens = new Tokens({
      send: (request) => {
        sent.push(request);
        return Promise.resolve(Response.json({ token: "t" }));
      },
      [Symbol.dispose]() {},
    }, systemClock);
    const endpoint = { ...defaultEndpoint("r.example"), headers: HEADERS };
    const scope = "repository:app:pull";
    const request = { endpoint, realm, service: undefined, scope, credentials };
    assert.deepEqual(await tokens.get(request, { signal: NEVER }), { token: "t" });
    assert.deepEqual(sent.map(({ headers }) => headers), [expected], realm);
  }
});
