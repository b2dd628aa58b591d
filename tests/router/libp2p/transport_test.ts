import assert from "node:assert/strict";
import { test } from "../../support/test.ts";
import { Cluster } from "../cluster.ts";

/** Runs with each socket of the process, opened or accepted, shown first. */
async function withSockets(see: (socket: Deno.TcpConn) => void, run: () => Promise<void>) {
  const { listen, connect } = Deno;
  const shown = (socket: Deno.TcpConn) => {
    see(socket);
    return socket;
  };
  Deno.connect =
    (async (options: Deno.ConnectOptions) => shown(await connect(options))) as typeof Deno.connect;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    listener.accept = async () => shown(await accept());
    return listener;
  }) as typeof Deno.listen;
  try {
    await run();
  } finally {
    Object.assign(Deno, { listen, connect });
  }
}

async function twoNodes(): Promise<void> {
  await using cluster = await Cluster.of(2);
  assert.equal(cluster.nodes.length, 2);
}

test("sockets on both ends send without delay", async () => {
  const sockets = new Map<Deno.TcpConn, unknown>();
  await withSockets((socket) => {
    sockets.set(socket, undefined);
    const setNoDelay = socket.setNoDelay.bind(socket);
    socket.setNoDelay = (noDelay = true) => {
      sockets.set(socket, noDelay);
      setNoDelay(noDelay);
    };
  }, twoNodes);
  assert(sockets.size >= 2, `${sockets.size} sockets`);
  assert([...sockets.values()].every((noDelay) => noDelay === true));
});

test("a message and its length are written together", async () => {
  const lengths: number[] = [];
  await withSockets((socket) => {
    const write = socket.write.bind(socket);
    socket.write = (bytes) => {
      lengths.push(bytes.length);
      return write(bytes);
    };
  }, twoNodes);
  assert(lengths.length > 10, `${lengths.length} writes`);
  assert(lengths.every((length) => length > 2), `${lengths}`);
});
