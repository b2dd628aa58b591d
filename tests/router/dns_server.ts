import { createSocket, type Socket } from "node:dgram";

/** One answer for each type of record, as the data of RFC 1035, section 4.1.3. */
export type Zone = Readonly<
  Record<string, readonly { readonly type: number; readonly data: Uint8Array }[]>
>;

const HEADER_BYTES = 12;

/** A name server on loopback, of a few records; for others it says that there is no such name. */
export class DnsServer implements AsyncDisposable {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async start(zone: Zone): Promise<DnsServer> {
    const socket = createSocket("udp4");
    socket.on("message", (query: Uint8Array, { port, address }) => {
      const answer = answerTo(new Uint8Array(query), zone);
      socket.send(answer, port, address);
    });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return new DnsServer(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

/** The data of an SRV record. */
export function srv(priority: number, port: number, target: string): Uint8Array {
  const fixed = [priority, 10, port].flatMap((number) => [number >> 8, number & 255]);
  return new Uint8Array([...fixed, ...encodeName(target)]);
}

function encodeName(name: string): number[] {
  const labels = name.split(".").filter((label) => label !== "");
  return [
    ...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]),
    0,
  ];
}

function answerTo(query: Uint8Array, zone: Zone): Uint8Array {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  const type = (query[at + 1] ?? 0) * 256 + (query[at + 2] ?? 0);
  const question = query.subarray(HEADER_BYTES, at + 5);
  const known = zone[labels.join(".").toLowerCase()];
  const records = (known ?? []).filter((record) => record.type === type);
  const answers = records.flatMap(({ data }) => [
    ...[0xc0, HEADER_BYTES, type >> 8, type & 255, 0, 1, 0, 0, 0, 5],
    ...[data.length >> 8, data.length & 255, ...data],
  ]);
  // Response, recursion available; code 3: no such name.
  const flags = [0x85, known === undefined ? 0x83 : 0x80];
  return new Uint8Array([
    ...query.subarray(0, 2),
    ...[...flags, 0, 1, 0, records.length, 0, 0, 0, 0],
    ...question,
    ...answers,
  ]);
}
