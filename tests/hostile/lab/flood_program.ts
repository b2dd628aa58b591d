/**
 * Opens connections to ports of a host and keeps as many open: one that is closed is opened again
 * two seconds later. Ends when it is killed, or by itself after two minutes.
 *
 * Argument: the {@link Plan} as JSON. Prints how many are open, once a second.
 */

/** What is done on a connection: nothing, or a head that never ends. */
export type Manner = "idle" | "slow";

/** What the program does. */
export interface Plan {
  readonly address: string;
  readonly ports: readonly number[];
  /** Connections to each port, half of them in each manner if there are two. */
  readonly connections: number;
  readonly manners: readonly Manner[];
}

const AGAIN_MS = 2000;
const LONGEST_MS = 120_000;

if (import.meta.main) await run(JSON.parse(Deno.args[0] ?? ""));

async function run({ address, ports, connections, manners }: Plan): Promise<void> {
  const encoder = new TextEncoder();
  let open = 0;
  const hold = async (port: number, manner: Manner) => {
    while (true) {
      try {
        using connection = await Deno.connect({ hostname: address, port });
        open++;
        const over = connection.read(new Uint8Array(1)).catch(() => null);
        if (manner === "slow") await trickle(connection, encoder).catch(() => {});
        await over;
        open--;
      } catch {
        // Refused.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  for (const port of ports) {
    for (let index = 0; index < connections; index++) {
      void hold(port, manners[index % manners.length] ?? "idle");
    }
  }
  const until = performance.now() + LONGEST_MS;
  while (performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // deno-lint-ignore no-console
    console.log(open);
  }
  Deno.exit();
}

async function trickle(connection: Deno.Conn, encoder: TextEncoder): Promise<void> {
  await connection.write(encoder.encode("GET /v2/ HTTP/1.1\r\nHost: node\r\nX: "));
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await connection.write(encoder.encode("y"));
  }
}
