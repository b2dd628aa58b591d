import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "../../support/test.ts";
import { Cluster } from "../cluster.ts";

test("sockets on both ends send without delay", async () => {
  const original = Socket.prototype.setNoDelay;
  const calls: unknown[] = [];
  Socket.prototype.setNoDelay = function (noDelay) {
    calls.push(noDelay);
    return original.call(this, noDelay);
  };
  const { listen } = Deno;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    listener.accept = async () => {
      const socket = await accept();
      const setNoDelay = socket.setNoDelay.bind(socket);
      socket.setNoDelay = (noDelay = true) => {
        calls.push(noDelay);
        setNoDelay(noDelay);
      };
      return socket;
    };
    return listener;
  }) as typeof Deno.listen;
  try {
    await using cluster = await Cluster.of(2);
    assert.equal(cluster.nodes.length, 2);
    assert(calls.length >= 2, `${calls.length} sockets`);
    assert(calls.every((noDelay) => noDelay === true));
  } finally {
    Socket.prototype.setNoDelay = original;
    Deno.listen = listen;
  }
});

test("a message and its length are written together", async () => {
  const original = Socket.prototype.write;
  const lengths: number[] = [];
  // deno-lint-ignore no-explicit-any
  Socket.prototype.write = function (this: Socket, chunk: any, ...rest: any[]) {
    lengths.push(chunk.length);
    // deno-lint-ignore no-explicit-any
    return (original as any).call(this, chunk, ...rest);
  };
  try {
    await using cluster = await Cluster.of(2);
    assert.equal(cluster.nodes.length, 2);
    assert(lengths.length > 10, `${lengths.length} writes`);
    assert(lengths.every((length) => length > 2), `${lengths}`);
  } finally {
    Socket.prototype.write = original;
  }
});
