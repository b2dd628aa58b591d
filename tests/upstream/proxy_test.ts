import assert from "node:assert/strict";
import { createIsProxied } from "../../lib/upstream/proxy.ts";
import { test } from "../support/test.ts";

const PROXY = "http://proxy.example:3128";
const BOTH = { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY };

test("what the environment says of proxies, as the runtime's fetch takes it", () => {
  // Each was compared with what fetch of Deno 2.6.10 and 2.9.6 does.
  const cases: [env: Record<string, string>, proxied: string, direct: string][] = [
    [{}, "", "http://a.example https://a.example"],
    [{ HTTP_PROXY: PROXY }, "http://a.example http://localhost:1", "https://a.example"],
    [{ http_proxy: PROXY }, "http://a.example http://10.0.0.1", "https://a.example"],
    [{ HTTPS_PROXY: PROXY }, "https://a.example", "http://a.example"],
    [{ https_proxy: PROXY }, "https://a.example", "http://a.example"],
    [{ ALL_PROXY: PROXY }, "https://a.example http://a.example", ""],
    [{ all_proxy: "proxy.example:3128" }, "https://a.example http://a.example", ""],
    [{ HTTP_PROXY: "", ALL_PROXY: PROXY }, "http://a.example", ""],
    [{ ALL_PROXY: "socks5://proxy.example" }, "http://a.example", ""],
    [{ ALL_PROXY: "ftp://proxy.example" }, "", "http://a.example"],
    [{ ...BOTH, NO_PROXY: "*" }, "https://10.0.0.1", "http://a.example"],
    [
      { ...BOTH, NO_PROXY: "a.example" },
      "http://ba.example",
      "http://a.example http://b.a.example",
    ],
    [
      { ...BOTH, NO_PROXY: " x , .a.example" },
      "http://b.example",
      "http://a.example http://b.a.example",
    ],
    [{ ...BOTH, no_proxy: "a.example" }, "http://b.example", "http://a.example"],
    [{ ...BOTH, NO_PROXY: "", no_proxy: "a.example" }, "http://a.example", ""],
    [
      { ...BOTH, NO_PROXY: "A.example,a.example:80,*.b.example" },
      "http://a.example http://c.b.example",
      "",
    ],
    [
      { ...BOTH, NO_PROXY: "10.0.0.0/8,::1,192.0.2.1" },
      "http://11.0.0.1 http://[::2]",
      "http://10.1.2.3 http://[::1] http://192.0.2.1",
    ],
    [{ ...BOTH, NO_PROXY: "10.0.0.0/33,/8,a.example/8" }, "http://10.0.0.1 http://a.example", ""],
  ];
  for (const [env, proxied, direct] of cases) {
    const isProxied = createIsProxied((name) => env[name]);
    for (const [urls, want] of [[proxied, true], [direct, false]] as const) {
      for (const url of urls.split(" ").filter((url) => url !== "")) {
        assert.equal(isProxied(new URL(url)), want, `${JSON.stringify(env)} ${url}`);
      }
    }
  }
});
