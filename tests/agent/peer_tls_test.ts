import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { systemClock } from "../../lib/async/clock.ts";
import { PeerTls } from "../../lib/agent/peer_tls.ts";
import { checkPeerTls } from "../../lib/commands/doctor/tls_checks.ts";
import { createTlsConnect } from "../../lib/mirror/http/connect_tls.ts";
import { ConnectionPool } from "../../lib/mirror/http/pool.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { configOf } from "../support/config_of.ts";
// Opens what libp2p opens once for the whole process.
import "../router/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { testWith } from "../support/test.ts";

const OPTIONS = { poolIdlePerHost: 2, poolIdleTotal: 3, poolIdleTimeoutMs: 60_000 };
const NAME = "eddy";
const missing = await missingOpenssl();

/** A directory of certificates, and a node that serves with them. */
class Node implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog();
  readonly port: number;
  readonly tls: PeerTls;
  readonly #shutdown: (drainTimeoutMs: number) => Promise<void>;

  private constructor(tls: PeerTls, port: number, answer: () => Response) {
    this.tls = tls;
    this.port = port;
    const fetch: Parameters<PeerTls["serve"]>[0]["fetch"] = (_, { secure }) => {
      assert.ok(secure);
      return answer();
    };
    this.#shutdown = tls.serve({ fetch }).shutdown;
  }

  static async start(directory: string, answer = () => new Response("hi")): Promise<Node> {
    const [port = 0] = await freePorts(1);
    const clock = new FakeClock();
    const log = new MemoryLog();
    const settings = {
      ...{ peerTlsDir: directory, peerTlsName: NAME, peerTlsMode: "require" as const },
      peerTlsAddr: { host: "127.0.0.1", port },
    };
    const tls = await PeerTls.open(settings, { clock, log });
    assert.ok(tls);
    return Object.assign(new Node(tls, port, answer), { clock, log });
  }

  /** Waits until the files have been read again, and something was said about it. */
  async reread(message: RegExp): Promise<void> {
    await eventually(String(message), async () => {
      await this.clock.advance(5000);
      return this.log.lines.some((line) => message.test(line.message));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shutdown(0);
  }
}

/** Asks a node as another one does; a connection of its own each time. */
async function ask(server: Node, client: Node): Promise<string> {
  const log = new MemoryLog();
  const connect = createTlsConnect(() => ({ ...client.tls.trust(), port: server.port }), {
    clock: systemClock,
    log,
  });
  const pool = new ConnectionPool(OPTIONS, connect);
  try {
    const place = { address: "127.0.0.1", port: 1 };
    const request = { ...place, method: "GET" as const, path: "/", headers: {} };
    const { body } = await pool.send(request, AbortSignal.timeout(5000));
    const hash = createHash("sha256");
    let bytes = 0;
    for (let part = await body.read(1 << 18); part; part = await body.read(1 << 18)) {
      hash.update(part);
      bytes += part.length;
    }
    return `${bytes} ${hash.digest("hex")}`;
  } catch (error) {
    const said = log.lines.map(({ message }) => message);
    assert.deepEqual(said, ["a peer does not prove by TLS who it is"], String(error));
    return "refused";
  } finally {
    pool.close();
  }
}

/** Makes two authorities, and directories of certificates: `a` and `b` of ours, `c` of theirs. */
async function makeCertificates(directory: string) {
  const [a, b, c] = [join(directory, "a"), join(directory, "b"), join(directory, "c")];
  const ours = await Authority.make(join(directory, "ours"));
  const theirs = await Authority.make(join(directory, "theirs"));
  await ours.issue(a, NAME);
  await ours.issue(b, NAME);
  await theirs.issue(c, NAME);
  return { ours, theirs, a, b, c };
}

type Certificates = Awaited<ReturnType<typeof makeCertificates>>;

function withTwoAuthorities(run: (made: Certificates) => Promise<void>): Promise<void> {
  return inDirectory(async (directory) => await run(await makeCertificates(directory)));
}

const HI = `2 ${createHash("sha256").update("hi").digest("hex")}`;

testWith(
  missing,
  "peer TLS: nodes of one authority know each other, others do not",
  () =>
    withTwoAuthorities(async (made) => {
      const content = crypto.getRandomValues(new Uint8Array(65_536));
      const large = new Uint8Array(8 * 1024 * 1024).map((_, at) => content[at % 65_536] ?? 0);
      await using a = await Node.start(made.a, () => new Response(large));
      await using b = await Node.start(made.b);
      await using c = await Node.start(made.c);
      assert.equal(await ask(b, a), HI);
      const digest = createHash("sha256").update(large).digest("hex");
      assert.equal(await ask(a, b), `${large.length} ${digest}`);
      assert.equal(await ask(a, c), "refused");
      assert.equal(await ask(c, a), "refused");
    }),
);

testWith(
  missing,
  "peer TLS: a certificate of the authority for another name is no node's",
  () =>
    inDirectory(async (directory) => {
      const authority = await Authority.make(join(directory, "ca"));
      await authority.issue(join(directory, "node"), NAME);
      await authority.issue(join(directory, "other"), "database");
      await using node = await Node.start(join(directory, "node"));
      const settings = {
        ...{ peerTlsDir: join(directory, "other"), peerTlsName: "database" },
        peerTlsMode: "require" as const,
        peerTlsAddr: { host: "127.0.0.1", port: (await freePorts(1))[0] ?? 0 },
      };
      const tls = await PeerTls.open(settings, { clock: node.clock, log: node.log });
      assert.ok(tls);
      const { shutdown } = tls.serve({ fetch: () => new Response("hi") });
      const { port } = settings.peerTlsAddr;
      assert.equal(await ask({ port } as Node, node), "refused");
      await shutdown(0);
    }),
);

testWith(
  missing,
  "peer TLS: a new certificate and a new authority are taken over while it serves",
  () =>
    withTwoAuthorities(async ({ ours: before, theirs: after, a: one, b: two }) => {
      let open: ReadableStreamDefaultController<Uint8Array> | undefined;
      const slow = new ReadableStream<Uint8Array>({
        start: (controller) => void (open = controller),
      });
      const answers = [() => new Response(slow, { headers: { "content-length": "2" } })];
      const node = await Node.start(one, () => answers.shift()?.() ?? new Response("hi"));
      await using peer = await Node.start(two);
      const underWay = ask(node, peer);
      await eventually("the answer is under way", () => answers.length === 0);
      // First both authorities are trusted, then certificates are replaced, one after the other.
      const both = await before.certificate() + await after.certificate();
      await Deno.writeTextFile(join(two, "ca.crt"), both);
      await peer.reread(/there are other certificates/);
      assert.equal(await ask(node, peer), HI);
      await after.issue(one, NAME);
      await node.reread(/there are other certificates/);
      assert.equal(await ask(node, peer), HI);
      open?.enqueue(new TextEncoder().encode("hi"));
      open?.close();
      assert.equal(await underWay, HI);
      await before.issue(two, NAME);
      peer.log.lines.length = 0;
      await peer.reread(/there are other certificates/);
      assert.equal(await ask(node, peer), "refused");
      await node[Symbol.asyncDispose]();
    }),
);

testWith(
  missing,
  "peer TLS: files that are not good leave things as they are",
  () =>
    inDirectory(async (directory) => {
      const authority = await Authority.make(join(directory, "ca"));
      const files = join(directory, "node");
      await authority.issue(files, NAME);
      await using node = await Node.start(files);
      await authority.issue(join(directory, "other"), NAME);
      await Deno.copyFile(join(directory, "other", "tls.key"), join(files, "tls.key"));
      await node.reread(/the last ones stay in force/);
      assert.equal(await ask(node, node), HI);
      await Deno.remove(join(files, "ca.crt"));
      await eventually("it says so once more", async () => {
        await node.clock.advance(5000);
        return node.log.lines.filter(({ level }) => level === "warn").length === 2;
      });
      assert.equal(await ask(node, node), HI);
    }),
);

testWith(
  missing,
  "peer TLS: what is wrong with the files is said in one line, without the key",
  () =>
    inDirectory(async (directory) => {
      const authority = await Authority.make(join(directory, "ca"));
      const files = join(directory, "node");
      const open = (name = NAME) =>
        PeerTls.open({
          ...{ peerTlsDir: files, peerTlsName: name, peerTlsMode: "require" },
          peerTlsAddr: { host: "", port: 1 },
        }, {
          ...{ clock: new FakeClock(), log: new MemoryLog() },
        });
      await authority.issue(files, NAME);
      await assert.rejects(open("node7"), /--peer-tls-dir: got .*not for the DNS name node7/);
      await authority.issue(join(directory, "other"), NAME);
      await Deno.copyFile(join(directory, "other", "tls.key"), join(files, "tls.key"));
      await assert.rejects(open(), /--peer-tls-dir: .*tls.key is not the key of tls.crt/);
      await Deno.writeTextFile(join(files, "tls.key"), "secret");
      await assert.rejects(open(), (error: Error) => {
        assert.match(error.message, /tls.key is not an unencrypted private key/);
        assert.doesNotMatch(error.message, /secret|\n/);
        return true;
      });
      await Deno.writeTextFile(join(files, "ca.crt"), "");
      await assert.rejects(open(), /ca.crt is missing or empty/);
      await Deno.remove(join(files, "tls.crt"));
      await assert.rejects(open(), /tls.crt is missing/);
    }),
);

testWith(
  missing,
  "doctor: says which peers are not known by TLS",
  () =>
    withTwoAuthorities(async (made) => {
      await using a = await Node.start(made.a);
      await using c = await Node.start(made.c);
      const examine = async ({ port }: Node, ...flags: string[]) => {
        const args = [...flags, "--peer-tls-addr", `127.0.0.1:${port}`];
        const config = configOf("doctor", args);
        return await checkPeerTls(config, [{ addresses: ["127.0.0.1"] }]);
      };
      const own = ["--peer-tls-dir", made.a];
      assert.deepEqual((await examine(a, ...own)).map(({ state }) => state), ["ok"]);
      const [check] = await examine(c, ...own);
      assert.equal(check?.state, "failed");
      assert.match(check?.detail ?? "", /1 of 1 peers are not known by TLS, such as 127.0.0.1/);
      assert.deepEqual(await examine(a), []);
    }),
);

testWith(
  missing,
  "peer TLS: where it is preferred, nodes without it are asked in the clear",
  () =>
    withTwoAuthorities(async ({ a, c }) => {
      await using other = await Node.start(c);
      const plain = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => new Response("plain"),
      );
      const [closed = 0] = await freePorts(1);
      const log = new MemoryLog();
      const send = async (mode: "prefer" | "require", port: number) => {
        const tls = await PeerTls.open({
          ...{ peerTlsDir: a, peerTlsName: NAME, peerTlsMode: mode },
          peerTlsAddr: { host: "127.0.0.1", port },
        }, { clock: systemClock, log });
        assert.ok(tls);
        const pool = new ConnectionPool(
          OPTIONS,
          createTlsConnect(tls.trust, { clock: systemClock, log }),
        );
        try {
          const place = { address: "127.0.0.1", port: plain.addr.port };
          const request = { ...place, method: "GET" as const, path: "/", headers: {} };
          const { body } = await pool.send(request, AbortSignal.timeout(5000));
          return new TextDecoder().decode(await body.read(100));
        } catch {
          return "refused";
        } finally {
          pool.close();
        }
      };
      assert.equal(await send("prefer", closed), "plain");
      assert.equal(await send("require", closed), "refused");
      // Who has TLS, but of another authority, is not trusted the more for it.
      assert.equal(await send("prefer", other.port), "refused");
      await plain.shutdown();
    }),
);
