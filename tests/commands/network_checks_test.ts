import assert from "node:assert/strict";
import type { AgentClient } from "../../lib/commands/doctor/agent_client.ts";
import { checkNetwork } from "../../lib/commands/doctor/network_checks.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { overviewOf, peerView } from "../fakes/debug_source.ts";
import { configOf } from "../support/config_of.ts";
import { test } from "../support/test.ts";

const IMAGE = "docker.io/library/app:1";
const CONTENT = [{ image: IMAGE, tags: [IMAGE], digests: [digestOf("only here")] }];

/** An agent whose content is nowhere else, and peers that serve whatever they are asked for. */
function agent(asked: string[]): AgentClient {
  return {
    holders: () => Promise.resolve({ lookupMs: 1, peers: [] }),
    registry(url: string) {
      asked.push(url);
      return Promise.resolve({ status: 200, error: "", headers: new Headers(), body: [] });
    },
  } as unknown as AgentClient;
}

for (
  const [name, flags, bytesTo, state, detail] of [
    ["without a key a peer is asked", [], 0, "ok", /found and reached it/],
    ["with a key none is, which would look for nothing", ["k"], 0, "skipped", /"ports of peers"/],
    ["with a key it counts what peers have fetched", ["k"], 7, "ok", /have fetched 7 bytes/],
  ] as const
) {
  test(`doctor: this node from peers: ${name}`, async () => {
    const asked: string[] = [];
    const config = configOf("doctor", flags.map((file) => `--cluster-key-file=${file}`));
    const { totals } = overviewOf();
    const overview = overviewOf({ peers: [peerView()], totals: { ...totals, bytesTo } });
    const checks = await checkNetwork(agent(asked), config, overview, CONTENT);
    const check = checks.find((each) => each.name === "this node from peers");
    assert.equal(check?.state, state);
    assert.match(check?.detail ?? "", detail);
    const pulls = asked.filter((url) => !url.endsWith("/v2/"));
    assert.equal(pulls.length, flags.length === 0 ? 1 : 0);
  });
}
