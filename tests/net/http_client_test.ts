import assert from "node:assert/strict";
import { join } from "node:path";
import { createHttpClient } from "../../lib/net/http_client.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { test, testWith } from "../support/test.ts";

const ROOT = new URL("../../", import.meta.url);

/** Runs a module in a process of its own, with the environment of a node behind a proxy. */
async function run(program: string, env: Record<string, string>): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, program);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", new URL("deno.json", ROOT).pathname, path],
      env: { NO_COLOR: "1", ...env },
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(path);
  }
}

test("proxies: requests to this machine and to nodes do not use them, others do", async () => {
  await using node = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json([{ ID: "", Addrs: ["/ip4/10.0.0.1/tcp/5001"] }]),
  );
  const seen: string[] = [];
  await using proxy = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      seen.push(`${request.url} ${request.headers.get("proxy-authorization")}`);
      return Response.json([]);
    },
  );
  const program = `
    import { createHttpClient } from "${ROOT}lib/net/http_client.ts";
    import { createHttpBootstrapper } from "${ROOT}lib/router/bootstrap/http_bootstrapper.ts";
    const signal = AbortSignal.timeout(10_000);
    const local = "http://127.0.0.1:${node.addr.port}/id";
    const get = (url: string) => createHttpBootstrapper({ url }).get({ signal });
    console.log(JSON.stringify(await get(local)));
    using client = createHttpClient(new URL(local), undefined);
    console.log((await fetch(local, { client })).status);
    console.log(JSON.stringify(await get("http://bootstrap.example/id")));
  `;
  const output = await run(program, {
    HTTP_PROXY: `http://user:pass%20word@127.0.0.1:${proxy.addr.port}`,
  });
  assert.equal(output, '[{"addresses":[{"ip":"10.0.0.1","port":5001}]}]\n200\n[]\n');
  assert.deepEqual(seen, [`http://bootstrap.example/id Basic ${btoa("user:pass word")}`]);
});

testWith(await missingOpenssl(), "a direct client speaks TLS to an https server", async () => {
  const directory = await Deno.makeTempDir({ prefix: "eddy-tls-" });
  try {
    const authority = await Authority.make(join(directory, "authority"));
    await authority.issue(join(directory, "server"), "localhost");
    const [cert, key] = await Promise.all(
      ["tls.crt", "tls.key"].map((name) => Deno.readTextFile(join(directory, "server", name))),
    );
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, cert: cert ?? "", key: key ?? "" },
      () => new Response("by TLS"),
    );
    const url = new URL(`https://localhost:${server.addr.port}/`);
    const caCerts = [await authority.certificate()];
    const pair = { cert: cert ?? "", key: key ?? "" };
    for (const proxy of [undefined, new URL("http://127.0.0.1:9")]) {
      createHttpClient(url, proxy, pair).close();
      const other = { ...pair, key: await Deno.readTextFile(join(authority.directory, "ca.key")) };
      assert.throws(() => createHttpClient(url, proxy, other), /cannot be used with the cert/);
    }
    using client = createHttpClient(url, undefined, { caCerts, poolMaxIdlePerHost: 0 });
    assert.equal(await (await fetch(url, { client })).text(), "by TLS");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
