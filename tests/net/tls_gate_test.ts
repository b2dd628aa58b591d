import assert from "node:assert/strict";
import { systemClock } from "../../lib/async/clock.ts";
import { Admission } from "../../lib/net/admission.ts";
import { TlsGate } from "../../lib/net/http/tls_gate.ts";
import { MemoryLog } from "../fakes/log.ts";
import { freePorts } from "../support/free_ports.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { testWith } from "../support/test.ts";

const PLACES = 4;
/** A complete record of a handshake. */
const HELLO = new Uint8Array([22, 3, 1, 0, 4, 1, 0, 1, 0]);
/** How often the gate looks for a connection before it counts as a stranger's. */
const LOOKS = 40;

testWith(
  await missingOpenssl(),
  "tls gate: connections that end before they are accepted hold up nobody",
  async () => {
    const directory = await Deno.makeTempDir();
    const authority = await Authority.make(`${directory}/authority`);
    await authority.issue(directory, "eddy");
    const [cert, key] = await Promise.all(
      ["tls.crt", "tls.key"].map((name) => Deno.readTextFile(`${directory}/${name}`)),
    );
    let looks = 0;
    const clock = {
      now: systemClock.now,
      sleep: (...[ms, options]: Parameters<typeof systemClock.sleep>) => {
        if (ms < 1000) looks++;
        return systemClock.sleep(ms, options);
      },
    };
    const admission = new Admission({
      limits: () => ({ local: PLACES, remote: 0, perAddress: 0 }),
      raise: () => false,
      isLocal: () => true,
    });
    const [port = 0] = await freePorts(1);
    const gate = new TlsGate({ admission, clock, log: new MemoryLog() }, {
      ...{ hostname: "127.0.0.1", port },
      tls: { cert: cert ?? "", key: key ?? "" },
    });
    const clients: Deno.TcpConn[] = [];
    const greet = async () => {
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      clients.push(client);
      await client.write(HELLO);
      return client;
    };
    // Whoever is evicted has ended.
    for (let count = 0; count < 5 * PLACES; count++) await greet();
    for (const evicted of clients.slice(0, 4 * PLACES)) {
      await evicted.read(new Uint8Array(1)).catch(() => {});
    }
    const waiting = (clients.at(-1)?.localAddr as Deno.NetAddr).port;
    for (let accepted = 0; accepted !== waiting;) {
      const connection = await gate.accept();
      accepted = (connection.remoteAddr as Deno.NetAddr).port;
      connection.cut?.();
      connection.close();
    }
    assert.ok(looks < LOOKS, `${looks} looks`);
    for (const client of clients) client.close();
    gate.close();
    while (admission.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await Deno.remove(directory, { recursive: true });
  },
);
