import assert from "node:assert/strict";
import { join } from "node:path";
import { TrustedAuthorities } from "../../lib/agent/trusted_authorities.ts";
import { configuredEndpoints, withAuthorities } from "../../lib/agent/upstream_endpoints.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { checkUpstream } from "../../lib/commands/doctor/upstream_checks.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { OCI_MANIFEST } from "../../lib/oci/media_type.ts";
import { createHttpBootstrapper } from "../../lib/router/bootstrap/http_bootstrapper.ts";
import { createUpstream } from "../../lib/upstream/create_upstream.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test, testWith } from "../support/test.ts";

const NEVER = new AbortController().signal;
const MANIFEST = new TextEncoder().encode('{"schemaVersion":2}');
const lacking = await missingOpenssl();

testWith(
  lacking,
  "authorities are read from files and directories, and again on change",
  async () => {
    await inDirectory(async (directory) => {
      const [one, two] = await Promise.all(
        ["one", "two"].map((name) => Authority.make(join(directory, name))),
      ) as [Authority, Authority];
      const bundle = join(directory, "bundle.crt");
      const folder = join(directory, "folder");
      await Deno.mkdir(folder);
      await Deno.writeTextFile(bundle, `# Of the company.\n${await one.certificate()}`);
      const [clock, log] = [new FakeClock(), new MemoryLog()];
      const authorities = new TrustedAuthorities([bundle, folder], { clock, log });
      const [first, again] = await Promise.all([authorities.current(), authorities.current()]);
      assert.deepEqual(first, [(await one.certificate()).trim()]);
      assert.equal(again, first, "whoever asks meanwhile waits");

      await Deno.writeTextFile(join(folder, "two.pem"), await two.certificate());
      // The same once more.
      await Deno.writeTextFile(join(folder, "one.pem"), await one.certificate());
      assert.equal(await authorities.current(), first);
      await clock.advance(5_000);
      assert.equal((await authorities.current()).length, 2);

      await Deno.remove(folder, { recursive: true });
      await Deno.writeTextFile(
        bundle,
        `-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n${await two.certificate()}`,
      );
      await clock.advance(5_000);
      assert.deepEqual(await authorities.current(), [(await two.certificate()).trim()]);
      const warnings = log.lines.filter(({ level }) => level === "warn").map(({ fields }) =>
        fields
      );
      assert.deepEqual(warnings.map(({ path }) => path).sort(), [bundle, folder]);
    });
  },
);

testWith(lacking, "`system:ROOT` reads what a distribution has below it", async () => {
  await inDirectory(async (directory) => {
    const authority = await Authority.make(join(directory, "authority"));
    const pem = await authority.certificate();
    for (
      const path of [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "etc/ssl/ca-bundle.pem",
        "etc/pki/trust/anchors/company.pem",
      ]
    ) {
      const root = join(directory, path.replaceAll("/", "-"));
      await Deno.mkdir(join(root, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(root, path), pem);
      // As on Red Hat's systems, seen from a pod.
      await Deno.mkdir(join(root, "etc/pki/tls/certs"), { recursive: true });
      await Deno.symlink("/nowhere/bundle.pem", join(root, "etc/pki/tls/certs/ca-bundle.crt"));
      const log = new MemoryLog();
      const authorities = new TrustedAuthorities([`system:${root}`], { clock: systemClock, log });
      assert.deepEqual(await authorities.current(), [pem.trim()], path);
      assert.deepEqual(log.lines.filter(({ level }) => level !== "info"), []);
    }
  });
});

test("what the runtime trusts anyway is not kept twice", async () => {
  const log = new MemoryLog();
  const authorities = new TrustedAuthorities(["system:/nowhere"], { clock: systemClock, log });
  assert.deepEqual(await authorities.current(), []);
  const own = new TrustedAuthorities(["system"], { clock: systemClock, log });
  assert.ok((await own.current()).length < 100);
});

testWith(
  lacking,
  "every client trusts them: registry, token server, doctor, bootstrap",
  async () => {
    await inDirectory(async (directory) => {
      const authority = await Authority.make(join(directory, "authority"));
      await authority.issue(join(directory, "tls"), "localhost");
      await using server = await startServer(join(directory, "tls"));
      const certs = join(directory, "certs.d");
      await Deno.mkdir(join(certs, "registry.example"), { recursive: true });
      const hosts = `server = "https://localhost:${server.addr.port}"\n`;
      await Deno.writeTextFile(join(certs, "registry.example", "hosts.toml"), hosts);
      const ca = join(directory, "authority", "ca.crt");
      const given = [["system:/nowhere"], [ca]];
      const answers = [];
      for (const paths of given) {
        answers.push([
          await askRegistry(certs, paths),
          await askDoctor(certs, paths),
          await bootstrap(`https://localhost:${server.addr.port}/id`, paths),
        ]);
      }
      assert.deepEqual(answers, [
        ["misconfigured", "failed", "refused"],
        [digestOf(MANIFEST), "ok", "1 peer"],
      ]);
    });
  },
);

/** A registry that wants a token, its token server, and a list of peers, over TLS. */
async function startServer(tls: string): Promise<Deno.HttpServer<Deno.NetAddr>> {
  const [cert, key] = await Promise.all(
    ["tls.crt", "tls.key"].map((name) => Deno.readTextFile(join(tls, name))),
  ) as [string, string];
  const serve = { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} };
  return Deno.serve(serve, ({ url, headers }) => {
    const { pathname, host } = new URL(url);
    if (pathname === "/token") return Response.json({ token: "t" });
    if (pathname === "/id") return Response.json([{ ID: "", Addrs: ["/ip4/10.0.0.1/tcp/5001"] }]);
    if (headers.get("authorization") !== "Bearer t") {
      const challenge = `Bearer realm="https://${host}/token"`;
      return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
    }
    if (pathname.includes("eddy/doctor")) return new Response(null, { status: 404 });
    return new Response(MANIFEST, { headers: { "content-type": OCI_MANIFEST } });
  });
}

function trusting(paths: readonly string[]): TrustedAuthorities {
  return new TrustedAuthorities(paths, { clock: systemClock, log: new MemoryLog() });
}

async function askRegistry(registryConfigPath: string, paths: readonly string[]): Promise<string> {
  const runtime = { clock: systemClock, log: new MemoryLog() };
  const config = parseConfig({ command: "agent", args: [], env: {}, readFile: () => "" });
  const endpoints = withAuthorities(
    configuredEndpoints({ ...config, registryConfigPath }, runtime),
    trusting(paths),
  );
  const upstream = createUpstream({ ...runtime, endpoints }, { budgetMs: 10_000 });
  const reference = { registry: "registry.example", repository: "app", tag: "v1" };
  const answer = await upstream.head({ kind: "manifest", reference }, { signal: NEVER });
  upstream.close();
  return answer.type === "unavailable"
    ? answer.reason
    : answer.type === "found"
    ? answer.digest
    : answer.type;
}

async function askDoctor(certs: string, paths: readonly string[]): Promise<string | undefined> {
  const args = ["--upstream-ca", ...paths];
  const config = parseConfig({ command: "doctor", args, env: {}, readFile: () => "" });
  const [check] = await checkUpstream(config, certs, { signal: NEVER });
  return check?.state;
}

async function bootstrap(url: string, paths: readonly string[]): Promise<string> {
  const authorities = trusting(paths);
  const { get } = createHttpBootstrapper({ url, authorities: () => authorities.current() });
  try {
    return `${(await get({ signal: NEVER })).length} peer`;
  } catch {
    return "refused";
  }
}
