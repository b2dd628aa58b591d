import assert from "node:assert/strict";
import { asTlsFault, MisconfiguredError } from "../../../lib/upstream/misconfigured_error.ts";
import { createSender, type UpstreamRequest } from "../../../lib/upstream/send.ts";
import { Authority, missingOpenssl, selfSigned } from "../../support/certificates.ts";
import { test, testWith } from "../../support/test.ts";

/** Deno 2.6 does not take a server's own certificate as an authority. */
const TAKES_OWN = !Deno.version.deno.startsWith("2.6.");

/** Names lead to this machine. */
const sender = (proxy?: URL) =>
  createSender({ resolve: () => Promise.resolve(["127.0.0.1"]), findProxy: () => proxy });

interface Server extends AsyncDisposable {
  readonly port: number;
}

/** An HTTPS server with `tls.crt` and `tls.key` of a directory, for clients with certificates if asked. */
async function serve(directory: string, clients: "any" | "known" = "any"): Promise<Server> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const known = ["-CAfile", `${directory}/ca.crt`, "-Verify", "1", "-verify_return_error"];
  const process = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-www", "-accept", `127.0.0.1:${port}`],
      ...["-cert", `${directory}/tls.crt`, "-key", `${directory}/tls.key`],
      ...(clients === "known" ? known : []),
    ],
    ...{ stdin: "null", stdout: "piped", stderr: "null" },
  }).spawn();
  const output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("ACCEPT");) {
    const { value, done } = await output.read();
    assert.ok(!done, text);
    text += value;
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await output.cancel();
      await process.status;
    },
  };
}

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-tls-" });
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A proxy that connects to this machine, whatever the name. */
function startProxy(): { readonly url: URL } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const tunnel = async (client: Deno.TcpConn) => {
    const head = new Uint8Array(4096);
    const length = await client.read(head) ?? 0;
    const [, port] =
      /^CONNECT [^:]+:(\d+) /.exec(new TextDecoder().decode(head.subarray(0, length))) ??
        [];
    const server = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    await client.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    await Promise.allSettled([
      client.readable.pipeTo(server.writable),
      server.readable.pipeTo(client.writable),
    ]);
  };
  const tunnels: Promise<void>[] = [];
  const served = (async () => {
    for await (const client of listener) tunnels.push(tunnel(client));
  })();
  return {
    url: new URL(`http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`),
    async [Symbol.asyncDispose]() {
      listener.close();
      await served;
      await Promise.allSettled(tunnels);
    },
  };
}

/** Asks a server; `name` is that of the URL. */
async function ask(
  { port }: Pick<Server, "port">,
  settings: Partial<UpstreamRequest>,
  name = "registry.example",
  proxy?: URL,
): Promise<number> {
  using asking = sender(proxy);
  const url = new URL(`https://${name}:${port}/`);
  const response = await asking.send({
    ...{ method: "GET", url, headers: {}, caCertificates: [], trustedHosts: new Set([url.host]) },
    ...{ signal: AbortSignal.timeout(10_000), ...settings },
  });
  await response.body?.cancel();
  return response.status;
}

async function assertFault(asked: Promise<number>, fix = /`ca`/): Promise<void> {
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof MisconfiguredError, String(error));
    assert.match(error.fix, fix);
    return true;
  });
}

const missing = await missingOpenssl();

testWith(
  missing,
  "skip_verify: any certificate, whatever the name",
  () =>
    withDirectory(async (directory) => {
      await selfSigned(directory, "DNS:other.example");
      await using server = await serve(directory);
      assert.equal(await ask(server, { skipVerify: true }), 200);
      assert.equal(await ask(server, { skipVerify: true }, "127.0.0.1"), 200);
      await assert.rejects(ask(server, {}), /certificate/);
    }),
);

testWith(
  missing,
  "a certificate that is the server's and `ca` at once",
  () =>
    withDirectory(async (directory) => {
      await selfSigned(directory, "DNS:registry.example,IP:127.0.0.1");
      const caCertificates = [await Deno.readTextFile(`${directory}/tls.crt`)];
      await using server = await serve(directory);
      if (TAKES_OWN) {
        assert.equal(await ask(server, { caCertificates }), 200);
        assert.equal(await ask(server, { caCertificates }, "127.0.0.1"), 200);
      } else {
        await assertFault(ask(server, { caCertificates }), /let another certificate sign it/);
      }
      await assertFault(ask(server, { caCertificates }, "other.example"));
    }),
);

testWith(
  missing,
  "certificates: of the authority, several in a file, and the client's own",
  () =>
    withDirectory(async (directory) => {
      const authority = await Authority.make(`${directory}/ca`);
      const other = await (await Authority.make(`${directory}/other`)).certificate();
      await authority.issue(directory, "registry.example");
      const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
      const ca = await authority.certificate();
      const client = { certificate: await read("tls.crt"), key: await read("tls.key") };
      await using server = await serve(directory, "known");
      assert.equal(await ask(server, { caCertificates: [ca], client }), 200);
      assert.equal(await ask(server, { caCertificates: [`${other}${ca}`], client }), 200);
      assert.equal(await ask(server, { caCertificates: [], client, skipVerify: true }), 200);
      await assertFault(ask(server, { caCertificates: [other], client }));
      await assertFault(ask(server, { caCertificates: [ca], client }, "other.example"));
      // containerd would take a certificate that is trusted as it is.
      await assertFault(ask(server, { caCertificates: [await read("tls.crt")], client }));
      await assert.rejects(ask(server, { caCertificates: [ca] }), /fatal alert/);
      await assertFault(ask(server, { skipVerify: true }));
    }),
);

testWith(
  missing,
  "authorities are trusted behind a proxy, too",
  () =>
    withDirectory(async (directory) => {
      const authority = await Authority.make(`${directory}/ca`);
      await authority.issue(directory, "registry.example");
      const caCertificates = [await authority.certificate()];
      await using server = await serve(directory);
      await using proxy = startProxy();
      assert.equal(await ask(server, { caCertificates }, "registry.example", proxy.url), 200);
      const asked = ask(server, {}, "registry.example", proxy.url);
      await assert.rejects(asked, (error) => asTlsFault(error) !== undefined);
    }),
);

test("a server that does not speak TLS is misconfigured, one that hangs is away", async () => {
  await using plain = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(),
  );
  await assertFault(ask(plain.addr, { skipVerify: true }));
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const stop = new AbortController();
  const accepted = silent.accept();
  const asked = ask({ port }, { skipVerify: true, signal: stop.signal });
  using _connection = await accepted;
  stop.abort(new Error("time is up"));
  await assert.rejects(asked, /time is up/);
});
