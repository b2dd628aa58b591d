import assert from "node:assert/strict";
import { join } from "node:path";
import { checkUpstream } from "../../lib/commands/doctor/upstream_checks.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { test } from "../support/test.ts";

const signal = AbortSignal.timeout(30_000);

/** What doctor finds of registries that answer so, or are not there. */
async function examine(
  registries: Record<string, (() => Response) | "down">,
  flags: readonly string[] = [],
) {
  const certs = await Deno.makeTempDir({ prefix: "eddy-certs-" });
  const servers: Deno.HttpServer<Deno.NetAddr>[] = [];
  try {
    for (const [name, answer] of Object.entries(registries)) {
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => answer === "down" ? new Response() : answer(),
      );
      if (answer === "down") await server.shutdown();
      else servers.push(server);
      await Deno.mkdir(join(certs, name));
      const url = `http://127.0.0.1:${server.addr.port}`;
      await Deno.writeTextFile(join(certs, name, "hosts.toml"), `server = "${url}"\n`);
    }
    const config = parseConfig({ command: "doctor", args: flags, env: {}, readFile: () => "" });
    return await checkUpstream(config, certs, { signal });
  } finally {
    for (const server of servers) await server.shutdown();
    await Deno.remove(certs, { recursive: true });
  }
}

const missing = () => Response.json({ errors: [] }, { status: 404 });
const denied = () =>
  new Response(null, { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
const page = () => new Response("<html>", { headers: { "content-type": "text/html" } });
const bearer = () =>
  new Response(null, { status: 401, headers: { "www-authenticate": 'Bearer realm="nonsense"' } });

test("doctor: registries that answer as registries can be asked", async () => {
  const [check, ...more] = await examine({ "a.example": missing, "b.example": denied });
  assert.deepEqual(more, []);
  assert.equal(check?.state, "ok");
  assert.match(check?.detail ?? "", /^a\.example, b\.example can be asked$/);
});

test("doctor: a registry that can never be asked is named, with what to do", async () => {
  const checks = await examine({ "a.example": missing, "b.example": page, "c.example": bearer });
  assert.deepEqual(checks.map(({ state }) => state), ["failed", "failed"]);
  assert.match(
    checks[0]?.detail ?? "",
    /^b\.example cannot be asked .* other than the content; its/,
  );
  assert.match(checks[0]?.fix ?? "", /hosts\.toml/);
  assert.match(
    checks[1]?.detail ?? "",
    /^c\.example cannot be asked .* realm .* is not a URL; its/,
  );
});

test("doctor: a registry that is away is a warning; where upstream is not asked there is nothing", async () => {
  const [check] = await examine({ "a.example": missing, "b.example": "down" });
  assert.equal(check?.state, "warning");
  assert.match(
    check?.detail ?? "",
    /^1 of 2 cannot be reached now, such as b\.example \(unreachable\)/,
  );
  const flags = ["--tag-policy", "peer", "--private-images", "share"];
  assert.deepEqual(await examine({ "b.example": "down" }, flags), []);
});
