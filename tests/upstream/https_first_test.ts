import assert from "node:assert/strict";
import { type HttpsFirst, preferHttps } from "../../lib/upstream/https_first.ts";
import { test } from "../support/test.ts";

const NEVER = new AbortController().signal;
const NOT_TLS = new Error("no TLS", {
  cause: new Error("received corrupt message of type InvalidContentType"),
});
const REFUSED = new Deno.errors.ConnectionRefused("refused");

/** What a request leads to at a URL: a status, an error, or nothing at all. */
type Outcomes = Readonly<Record<string, number | Error | undefined>>;

function lab(outcomes: Outcomes) {
  const asked: string[] = [];
  const send = preferHttps(({ href }, { signal, trustedHosts }: HttpsFirst) => {
    asked.push(`${href} ${[...trustedHosts]}`);
    const outcome = outcomes[href];
    if (outcome instanceof Error) return Promise.reject(outcome);
    if (outcome !== undefined) return Promise.resolve(new Response(null, { status: outcome }));
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  });
  const ask = async (url: string, more: Partial<HttpsFirst> = {}) => {
    const { host } = new URL(url);
    const response = await send(new URL(url), {
      ...{ trustedHosts: new Set([host]), signal: NEVER, httpsFirst: true, ...more },
    });
    return response.status;
  };
  return { asked, ask };
}

test("HTTPS first: what the port speaks is used, and remembered", async () => {
  const [plain, tls] = ["http://plain.example:5000/", "http://tls.example:5000/"];
  const outcomes: Outcomes = {
    ...{ "https://plain.example:5000/": NOT_TLS, [plain]: 200 },
    ...{ "https://tls.example:5000/": 204, "https://other.example/": 200 },
  };
  const { asked, ask } = lab(outcomes);
  assert.deepEqual([await ask(plain), await ask(plain), await ask(tls)], [200, 200, 204]);
  assert.equal(await ask("https://other.example/"), 200);
  assert.deepEqual(asked, [
    "https://plain.example:5000/ plain.example:5000",
    "http://plain.example:5000/ plain.example:5000",
    "http://plain.example:5000/ plain.example:5000",
    "https://tls.example:5000/ tls.example:5000",
    "https://other.example/ other.example",
  ]);
  assert.equal(await ask(plain, { httpsFirst: false }), 200);
});

test("HTTPS first: a server that has switched to HTTPS is noticed", async () => {
  const outcomes: Record<string, number | Error> = {
    "https://a.example:5000/": NOT_TLS,
    "http://a.example:5000/": 200,
  };
  const { ask } = lab(outcomes);
  assert.equal(await ask("http://a.example:5000/"), 200);
  outcomes["https://a.example:5000/"] = 204;
  for (const switched of [400, new Error("malformed status line")]) {
    outcomes["http://a.example:5000/"] = switched;
    await ask("http://a.example:5000/").catch(() => {});
    assert.equal(await ask("http://a.example:5000/"), 204);
  }
});

test("HTTPS first: without a port in the URL, 443 need not answer", async () => {
  for (const silence of [REFUSED, undefined]) {
    const { ask } = lab({ "https://a.example/": silence, "http://a.example/": 200 });
    assert.equal(await ask("http://a.example/"), 200);
  }
  const { ask, asked } = lab({ "https://a.example:5000/": REFUSED, "https://b.example/": 200 });
  await assert.rejects(ask("http://a.example:5000/"), REFUSED);
  // Its host is written without the port.
  assert.equal(await ask("http://b.example:443/"), 200);
  assert.equal(asked.at(-1), "https://b.example/ b.example:443,b.example");
});

test("HTTPS first: a certificate that fails is no reason for plain HTTP, nor is the end", async () => {
  const { asked, ask } = lab({ "https://a.example:1/": new Error("invalid peer certificate") });
  await assert.rejects(ask("http://a.example:1/"), /certificate/);
  const stop = new AbortController();
  const waiting = ask("http://b.example/", { signal: stop.signal });
  stop.abort(new Error("gone"));
  await assert.rejects(waiting, /gone/);
  assert.deepEqual(asked.map((line) => line.split(":", 1)[0]), ["https", "https"]);
});
