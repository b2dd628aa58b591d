/**
 * What runs on a host of the lab beside or against a node: listeners that note who connects, a name
 * server that changes its mind, and a registry that wants a header.
 *
 * Argument: an {@link OutsiderRoles} as JSON. What it has noted is told at 127.0.0.1:7200.
 */
import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";
import type { OutsiderRoles } from "./outsider.ts";

const { traps = [], names, registry }: OutsiderRoles = JSON.parse(Deno.args[0] ?? "{}");
const noted: string[] = [];

for (const { hostname, port } of traps) serve(Deno.listen({ hostname, port }), `${port}`);
if (names !== undefined) answerNames(names.name, names.addresses);
if (registry !== undefined) serveRegistry(registry);
Deno.serve({ hostname: "127.0.0.1", port: 7200 }, () => Response.json(noted.splice(0)));

/** Notes each connection, and answers as an HTTP server that has nothing. */
async function serve(listener: Deno.Listener, name: string): Promise<void> {
  for await (const conn of listener) {
    noted.push(`connection ${name}`);
    const reply = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    conn.write(new TextEncoder().encode(reply)).catch(() => {}).finally(() => conn.close());
  }
}

/** Gives one address after the other, each good for no time. */
function answerNames(name: string, addresses: readonly string[]): void {
  const socket = createSocket("udp4");
  let count = 0;
  socket.on("message", (bytes, { port, address }) => {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    const isKnown = question?.name.toLowerCase() === name;
    const data = addresses[count % addresses.length] ?? "";
    if (isKnown && question?.type === "A") {
      noted.push(`name ${addresses[count++ % addresses.length]}`);
    }
    socket.send(
      encode({
        id: query.id ?? 0,
        type: "response",
        // Authoritative; code 3: no such name.
        flags: 0x400 | (isKnown ? 0 : 3),
        questions: query.questions ?? [],
        answers: isKnown && question?.type === "A" ? [{ type: "A", name, ttl: 0, data }] : [],
      }),
      port,
      address,
    );
  });
  socket.bind(53, "127.0.0.1");
}

/** Gives what is in the directory, by digest or as tag `v1`, to whoever shows the header. */
function serveRegistry(
  { hostname, port, header, directory, root }: NonNullable<OutsiderRoles["registry"]>,
): void {
  Deno.serve({ hostname, port }, async ({ url, method, headers }) => {
    const may = headers.get(header.name) === header.value;
    noted.push(`${method} ${may ? "with" : "without"} ${header.name}`);
    if (!may) return new Response(null, { status: 401 });
    const asked = new URL(url).pathname.split("/").at(-1) ?? "";
    const digest = asked === "v1" ? root : asked;
    const bytes = await Deno.readFile(`${directory}/${digest}`).catch(() => undefined);
    if (bytes === undefined) return new Response(null, { status: 404 });
    return new Response(method === "HEAD" ? null : bytes, {
      headers: {
        "content-type": digest === root
          ? "application/vnd.oci.image.manifest.v1+json"
          : "application/octet-stream",
        "content-length": String(bytes.length),
        "docker-content-digest": digest,
      },
    });
  });
}
