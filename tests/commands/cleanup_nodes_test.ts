import assert from "node:assert/strict";
import { askNodes, nodesOfDaemonSet } from "../../lib/commands/cleanup_nodes.ts";
import type { PodObject } from "../../lib/kubernetes/api.ts";
import { ApiError } from "../../lib/kubernetes/api_error.ts";
import { FakeKubernetesApi } from "../fakes/kubernetes.ts";
import { test } from "../support/test.ts";

const { signal } = new AbortController();
const DAEMON_SET = { namespace: "eddy", name: "eddy-cleanup" };

/** Pods as the API server has them, and what the nodes that have an address answer. */
const CASES: Record<string, {
  desired?: number;
  pods: PodObject[];
  status?: number;
  nodes: number;
  problem?: RegExp;
}> = {
  "all answer": {
    ...{ desired: 2, nodes: 2 },
    pods: [
      { name: "a", node: "n1", address: "127.0.0.1", phase: "Running" },
      { name: "b", node: "n2", address: "127.0.0.1", phase: "Running" },
    ],
  },
  "a node is not ready: its pod never starts, and no name resolves to it": {
    ...{ desired: 2, nodes: 2, problem: /^1 of 2 nodes: n2 \(its pod is Pending\)$/ },
    pods: [
      { name: "a", node: "n1", address: "127.0.0.1", phase: "Running" },
      { name: "b", node: "n2", phase: "Pending" },
    ],
  },
  "a node that cannot pull": {
    ...{ desired: 1, nodes: 1, problem: /: n1 \(its pod is Pending, ImagePullBackOff\)$/ },
    pods: [{ name: "a", node: "n1", phase: "Pending, ImagePullBackOff" }],
  },
  "a node that is not restored yet": {
    ...{ desired: 1, nodes: 1, status: 503, problem: /^1 of 1 nodes: n1 \(status 503\)$/ },
    pods: [{ name: "a", node: "n1", address: "127.0.0.1", phase: "Running" }],
  },
  "pods are still to be made": {
    ...{ desired: 3, nodes: 1, problem: /^2 of 3 pods are still to be made$/ },
    pods: [{ name: "a", node: "n1", address: "127.0.0.1", phase: "Running" }],
  },
  "a pod for no node": {
    ...{ desired: 1, nodes: 1, problem: /: the node of pod a \(its pod is Pending\)$/ },
    pods: [{ name: "a", phase: "Pending" }],
  },
  "the controller has not looked at it yet": {
    ...{ pods: [], nodes: 0, problem: /^DaemonSet eddy-cleanup is not counted yet$/ },
  },
  "no node matches": { desired: 0, pods: [], nodes: 0 },
  "more than can be named": {
    ...{
      desired: 30,
      nodes: 30,
      problem: /^30 of 30 nodes: (n\d\d \([^)]+\), ){19}n29 .* and 10 more$/,
    },
    pods: Array.from({ length: 30 }, (_, index) => {
      return { name: "a", node: `n${10 + index}`, phase: "Pending" };
    }),
  },
};

test("cleanup: which nodes of a DaemonSet are missing", async (t) => {
  for (const [name, { desired, pods, status = 200, nodes, problem }] of Object.entries(CASES)) {
    await t.step(name, async () => {
      const abort = new AbortController();
      const server = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: abort.signal },
        () => new Response(null, { status }),
      );
      const api = new FakeKubernetesApi();
      api.daemonSet = { desired, selector: {} };
      api.pods = pods;
      const list = nodesOfDaemonSet(api, DAEMON_SET);
      const progress = await askNodes(list, server.addr.port, { signal });
      assert.equal(progress.nodes, nodes);
      if (problem === undefined) assert.equal(progress.problem, undefined);
      else assert.match(progress.problem ?? "", problem);
      abort.abort();
      await server.finished;
    });
  }
});

test("cleanup: an API server that refuses is what is missing", async () => {
  const api = new FakeKubernetesApi();
  api.before = () => {
    throw new ApiError("forbidden", "cannot read DaemonSet eddy/eddy-cleanup: answered 403");
  };
  assert.deepEqual(await askNodes(nodesOfDaemonSet(api, DAEMON_SET), 1, { signal }), {
    nodes: 0,
    problem: "cannot read DaemonSet eddy/eddy-cleanup: answered 403",
  });
});
