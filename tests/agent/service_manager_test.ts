import assert from "node:assert/strict";
import { join } from "node:path";
import { connectServiceManager } from "../../lib/agent/service_manager.ts";
import { MemoryLog } from "../fakes/log.ts";
import { test } from "../support/test.ts";

/** What a service manager's socket received. */
interface Received {
  readonly path: string;
  next(): Promise<string>;
}

async function withSocket(use: (socket: Received, directory: string) => Promise<void>) {
  const directory = await Deno.makeTempDir({ prefix: "eddy-notify-" });
  const path = join(directory, "notify");
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  try {
    const next = async () => new TextDecoder().decode((await socket.receive())[0]);
    await use({ path, next }, directory);
  } finally {
    socket.close();
    await Deno.remove(directory, { recursive: true });
  }
}

test("service manager: it is told of readiness once, and of the stop", async () => {
  await withSocket(async (socket, directory) => {
    const runtime = join(directory, "run");
    await Deno.mkdir(runtime);
    const log = new MemoryLog();
    const manager = await connectServiceManager({
      env: { NOTIFY_SOCKET: socket.path, RUNTIME_DIRECTORY: `${runtime}:/elsewhere` },
      log,
    });
    await manager.ready();
    await manager.ready();
    await manager.stopping();
    assert.match(await socket.next(), /^READY=1\nSTATUS=\S/);
    assert.match(await socket.next(), /^STOPPING=1\nSTATUS=\S/);
    assert.equal((await Array.fromAsync(Deno.readDir(runtime))).length, 1);
    await manager.close();
    assert.deepEqual(await Array.fromAsync(Deno.readDir(runtime)), [], "nothing is left");
    assert.deepEqual(log.lines, []);
  });
});

test("service manager: it gets signs of life where it asks for them", async () => {
  await withSocket(async (socket) => {
    const manager = await connectServiceManager({
      env: { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: "20000" },
      log: new MemoryLog(),
    });
    for (let i = 0; i < 3; i++) assert.equal(await socket.next(), "WATCHDOG=1");
    await manager.close();
  });
});

test("service manager: without one, or with one that is gone, the agent runs on", async (t) => {
  const cases: Record<string, { env: Record<string, string>; warnings: number }> = {
    "none": { env: {}, warnings: 0 },
    "an empty address": { env: { NOTIFY_SOCKET: "" }, warnings: 0 },
    "an abstract address": { env: { NOTIFY_SOCKET: "@/run/systemd/notify" }, warnings: 1 },
    "nobody listens": { env: { NOTIFY_SOCKET: "/nonexistent/notify" }, warnings: 2 },
    "nowhere to bind": {
      env: { NOTIFY_SOCKET: "/nonexistent/notify", RUNTIME_DIRECTORY: "/nonexistent/run" },
      warnings: 1,
    },
  };
  for (const [name, { env, warnings }] of Object.entries(cases)) {
    await t.step(name, async () => {
      const log = new MemoryLog();
      const manager = await connectServiceManager({ env, log });
      await manager.ready();
      await manager.stopping();
      await manager.close();
      assert.equal(log.lines.filter(({ level }) => level === "warn").length, warnings);
    });
  }
});
