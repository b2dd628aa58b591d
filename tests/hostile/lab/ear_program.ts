/**
 * Says of each port of a host whether somebody answers there, as JSON: `{"5000": true, …}`.
 *
 * Arguments: the address, then the ports. 5001 is a router's, 5443 speaks TLS, others HTTP.
 */

const TIMEOUT_MS = 5000;
const ROUTER = 5001;
const TLS = 5443;
/** What both sides of a libp2p connection say first, after its length. */
const GREETING = "\x13/multistream/1.0.0\n";

if (import.meta.main) {
  const [hostname = "", ...ports] = Deno.args;
  const heard = await Promise.all(ports.map(async (port) => [port, await hears(hostname, port)]));
  // deno-lint-ignore no-console
  console.log(JSON.stringify(Object.fromEntries(heard)));
  Deno.exit();
}

function hears(hostname: string, text: string): Promise<boolean> {
  const port = Number(text);
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), TIMEOUT_MS));
  return Promise.race([late, ask(hostname, port).catch(() => false)]);
}

async function ask(hostname: string, port: number): Promise<boolean> {
  using connection = port === TLS
    ? await Deno.connectTls({ hostname, port })
    : await Deno.connect({ hostname, port });
  const [question, answer] = port === ROUTER
    ? [GREETING, GREETING]
    : ["GET /livez HTTP/1.1\r\nHost: node\r\n\r\n", "HTTP/1.1 "];
  await connection.write(new TextEncoder().encode(question));
  const buffer = new Uint8Array(1024);
  const read = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, read ?? 0)).startsWith(answer);
}
