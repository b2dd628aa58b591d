import assert from "node:assert/strict";
import { Admission } from "../../lib/net/admission.ts";
import type { Accepted, ServerCertificate } from "../../lib/net/http/accepted.ts";
import { TlsAcceptor } from "../../lib/net/http/tls_acceptor.ts";
import { systemClock } from "../../lib/async/clock.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { until } from "../support/eventually.ts";
import { testWith } from "../support/test.ts";

const HELD = 2;
const PLACES = 8;
/** The first record of a handshake, which says nothing that a server could answer yet. */
const HELLO = new Uint8Array([22, 3, 1, 0, 4, 1, 0, 1, 0]);
const missing = await missingOpenssl();
/** On which ten seconds are a fifth of one. */
const fastClock: Clock = {
  now: () => 50 * systemClock.now(),
  sleep: (ms, options) => systemClock.sleep(ms / 50, options),
};

/** Accepts all the time, and ends what it accepted. */
class Server {
  readonly log = new MemoryLog();
  readonly accepted: Accepted[] = [];
  readonly acceptor: TlsAcceptor;
  readonly http = new Admission({
    limits: () => ({ local: PLACES, remote: 0, perAddress: 0 }),
    raise: () => false,
    isLocal: () => true,
  });
  readonly #running: Promise<void>;
  readonly #authority: string;

  constructor(tls: ServerCertificate, authority: string) {
    this.#authority = authority;
    const takesHandshake = (underWay: number) => underWay < HELD;
    const connections = { http: this.http, takesHandshake };
    const options = { hostname: "127.0.0.1", port: 0, tls };
    this.acceptor = new TlsAcceptor({ connections, clock: fastClock, log: this.log }, options);
    this.#running = this.#run().catch(() => {});
  }

  get hasGate(): boolean {
    return this.log.lines.length % 2 === 1;
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.acceptor.address.port });
  }

  /** Makes a handshake, and checks that it came in. */
  async greet(): Promise<void> {
    const plain = await this.connect();
    const { port } = plain.localAddr as Deno.NetAddr;
    using socket = await Deno.startTls(plain, { hostname: "eddy", caCerts: [this.#authority] });
    // Until the server ends it.
    await socket.read(new Uint8Array(1)).catch(() => {});
    assert.ok(
      this.accepted.some(({ remoteAddr }) => (remoteAddr as Deno.NetAddr).port === port),
    );
  }

  async close(): Promise<void> {
    this.acceptor.close();
    await this.#running;
    await until(() => this.http.size === 0);
  }

  async #run(): Promise<void> {
    while (true) {
      const accepted = await this.acceptor.accept();
      this.accepted.push(accepted);
      accepted.close();
    }
  }
}

async function withServer(body: (server: Server) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const authority = await Authority.make(`${directory}/authority`);
    await authority.issue(directory, "eddy");
    const server = new Server({
      cert: await Deno.readTextFile(`${directory}/tls.crt`),
      key: await Deno.readTextFile(`${directory}/tls.key`),
    }, await authority.certificate());
    try {
      await body(server);
    } finally {
      await server.close();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

testWith(
  missing,
  "tls acceptor: who holds handshakes keeps nobody out; when they have gone all is as before",
  () =>
    withServer(async (server) => {
      await server.greet();
      const held = [await server.connect(), await server.connect()];
      await until(() => server.hasGate);
      await server.greet();
      await server.greet();
      for (const each of held) each.close();
      // Whoever is just on the way when it goes over is refused.
      for (let tries = 0; server.hasGate && tries < 50; tries++) {
        await server.greet().catch(() => {});
      }
      await server.greet();
      assert.deepEqual(server.log.lines.map(({ level }) => level), ["warn", "warn"]);
    }),
);

testWith(
  missing,
  "tls acceptor: at the gate a handshake has its time, and may be cut off",
  () =>
    withServer(async (server) => {
      const held = [await server.connect(), await server.connect()];
      await until(() => server.hasGate);
      const slow = await server.connect();
      // The beginning of a hello, which never ends.
      await slow.write(new Uint8Array([0x16, 3, 1, 0, 200, 1, 0]));
      await until(() => server.http.size > 0);
      assert.equal(await slow.read(new Uint8Array(100)).catch(() => null), null);
      slow.close();
      for (const each of held) each.close();
    }),
);

testWith(
  missing,
  "tls acceptor: at the gate whoever stops within a hello, or after it, gives way to others",
  () =>
    withServer(async (server) => {
      const held = [await server.connect(), await server.connect()];
      await until(() => server.hasGate);
      // More than are let in, and than there is room for handshakes.
      for (const hello of [HELLO.subarray(0, 6), HELLO]) {
        for (let count = 0; count < 20; count++) {
          const stopped = await server.connect();
          await stopped.write(hello);
          held.push(stopped);
        }
        await until(() => server.http.size === PLACES);
        await server.greet();
      }
      for (const each of held) each.close();
    }),
);
