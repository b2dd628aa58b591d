/**
 * Opens TLS connections to a port of a host and stops in the handshake: half of them in the
 * ClientHello, half after it. One that is closed is opened again at once. Ends when it is killed, or
 * by itself after a minute.
 *
 * Argument: the {@link HelloPlan} as JSON. Prints how many were opened, once a second.
 */

import { connect } from "node:net";

/** What the program does. */
export interface HelloPlan {
  readonly address: string;
  readonly port: number;
  /** Addresses of this host from which it connects. */
  readonly sources: readonly string[];
  /** Connections from each. */
  readonly connections: number;
}

const LONGEST_MS = 60_000;
const AGAIN_MS = 200;
/** The head of its record, and a byte. */
const HALF_BYTES = 6;

if (import.meta.main) await run(JSON.parse(Deno.args[0] ?? ""));

async function run({ address, port, sources, connections }: HelloPlan): Promise<void> {
  const hello = await clientHello();
  let opened = 0;
  const hold = async (source: string, bytes: Uint8Array) => {
    while (true) {
      opened++;
      await new Promise<void>((resolve) => {
        const socket = connect({ host: address, port, localAddress: source });
        socket.on("connect", () => socket.write(bytes));
        socket.on("error", () => {}).on("close", () => resolve()).resume();
      });
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  for (const source of sources) {
    for (let index = 0; index < connections; index++) {
      void hold(source, index % 2 === 0 ? hello : hello.subarray(0, HALF_BYTES));
    }
  }
  for (const until = performance.now() + LONGEST_MS; performance.now() < until;) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // deno-lint-ignore no-console
    console.log(opened);
  }
  Deno.exit();
}

/** What the runtime's own client sends first. */
async function clientHello(): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const client = Deno.connectTls({ hostname: "127.0.0.1", port: listener.addr.port });
  using connection = await listener.accept();
  const buffer = new Uint8Array(4096);
  void client.then((socket) => socket.handshake()).catch(() => {});
  const read = await connection.read(buffer);
  return buffer.slice(0, read ?? 0);
}
