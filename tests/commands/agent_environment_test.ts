import assert from "node:assert/strict";
import { agentEnvironment } from "../../lib/commands/doctor/agent_environment.ts";
import { test } from "../support/test.ts";

test("doctor: whoever answers in the agent's place cannot say where secrets are", async () => {
  const told = { "store": "oci-layout:/x", "basic-auth-dir": "/tmp/planted", "config": "/tmp/y" };
  const settings = Object.entries(told)
    .map(([flag, value]) => ({ flag, value, isDefault: false, help: "" }));
  const handler = () => Response.json(settings);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  try {
    const { port } = server.addr;
    const env = { METRICS_ADDR: `127.0.0.1:${port}` };
    const sources = { args: [], env, readFile: () => "" };
    const found = await agentEnvironment(sources, { signal: new AbortController().signal });
    assert.deepEqual(found, { STORE: "oci-layout:/x", ...env });
  } finally {
    await server.shutdown();
  }
});
