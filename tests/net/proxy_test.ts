import assert from "node:assert/strict";
import { proxyFromEnvironment } from "../../lib/net/proxy.ts";
import { test } from "../support/test.ts";

const PROXY = "http://proxy.example:3128";
const BOTH = { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY };

test("proxies are chosen as Go's programs choose them", () => {
  // Each was compared with golang.org/x/net/http/httpproxy.
  const cases: [env: Record<string, string>, proxied: string, direct: string][] = [
    [{}, "", "http://a.example https://a.example"],
    [{ HTTP_PROXY: PROXY }, "http://a.example", "https://a.example"],
    [{ http_proxy: PROXY }, "http://a.example http://10.0.0.1", "https://a.example"],
    [{ HTTPS_PROXY: "proxy.example:3128" }, "https://a.example", "http://a.example"],
    [{ HTTP_PROXY: "", http_proxy: "socks5://proxy.example:3128" }, "http://a.example", ""],
    [{ HTTP_PROXY: "ftp://proxy.example" }, "", "http://a.example"],
    [{ ALL_PROXY: PROXY }, "", "http://a.example https://a.example"],
    [
      BOTH,
      "http://10.0.0.1 https://localhost.example",
      "http://localhost:5000 https://localhost http://127.0.0.2:1 https://[::1]:5000",
    ],
    [{ ...BOTH, NO_PROXY: "*" }, "", "http://a.example https://10.0.0.1"],
    [
      { ...BOTH, NO_PROXY: "A.example" },
      "http://ba.example http://a.example.",
      "http://a.example http://b.a.example",
    ],
    [
      { ...BOTH, NO_PROXY: " x , .a.example,*.b.example" },
      "http://a.example http://b.example",
      "http://b.a.example http://c.b.example",
    ],
    [{ ...BOTH, no_proxy: "a.example" }, "http://b.example", "http://a.example"],
    [
      { ...BOTH, NO_PROXY: "a.example:80,b.example:8443,c.example:" },
      "https://a.example http://b.example",
      "http://a.example https://b.example:8443 https://c.example http://c.example:5000",
    ],
    [
      { ...BOTH, NO_PROXY: "10.0.0.0/8,fd00::1,192.0.2.1:80,[fd00::2]:443" },
      "http://11.0.0.1 http://[fd00::3] http://[fd00::2] http://192.0.2.1:81",
      "http://10.1.2.3 https://[fd00::1]:5000 http://192.0.2.1 https://[fd00::2]",
    ],
    [{ ...BOTH, NO_PROXY: "10.0.0.0/33,/8,a.example/8" }, "http://10.0.0.1 http://a.example", ""],
  ];
  for (const [env, proxied, direct] of cases) {
    const findProxy = proxyFromEnvironment((name) => env[name]);
    for (const [urls, want] of [[proxied, "proxy.example"], [direct, undefined]] as const) {
      for (const url of urls.split(" ").filter((url) => url !== "")) {
        const { hostname } = findProxy(new URL(url)) ?? {};
        assert.equal(hostname, want, `${JSON.stringify(env)} ${url}`);
      }
    }
  }
});
