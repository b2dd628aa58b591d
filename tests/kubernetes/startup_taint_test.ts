import assert from "node:assert/strict";
import { ApiError } from "../../lib/kubernetes/api_error.ts";
import { removeTaint } from "../../lib/kubernetes/startup_taint.ts";
import { FakeKubernetesApi } from "../fakes/kubernetes.ts";
import { test } from "../support/test.ts";

const KEY = "eddy.dev/starting";
const OTHER = { key: "dedicated", value: "gpu", effect: "NoSchedule" };
const { signal } = new AbortController();

test("removing a taint: only those with the key go, whatever their effect and place", async (t) => {
  const ours = (effect: string) => ({ key: KEY, effect });
  const cases = [
    { taints: [], left: [], removed: [] },
    { taints: [OTHER], left: [OTHER], removed: [] },
    { taints: [ours("NoSchedule")], left: [], removed: ["NoSchedule"] },
    { taints: [OTHER, ours("NoSchedule")], left: [OTHER], removed: ["NoSchedule"] },
    {
      taints: [ours("NoExecute"), OTHER, ours("NoSchedule")],
      left: [OTHER],
      removed: ["NoExecute", "NoSchedule"],
    },
    {
      taints: [{ key: `${KEY}-not`, effect: "NoSchedule" }],
      left: [{ key: `${KEY}-not`, effect: "NoSchedule" }],
      removed: [],
    },
  ];
  for (const { taints, left, removed } of cases) {
    await t.step(taints.map(({ key, effect }) => `${key}:${effect}`).join() || "none", async () => {
      const api = new FakeKubernetesApi();
      api.taints = taints;
      const result = await removeTaint(api, { node: "n1", key: KEY }, { signal });
      assert.deepEqual(result.removed, removed);
      assert.deepEqual(api.taints, left);
      assert.deepEqual(result.node.taints, left);
      assert.equal(api.patches.length, removed.length > 0 ? 1 : 0);
    });
  }
});

test("removing a taint: a list that changes meanwhile is read again", async () => {
  const api = new FakeKubernetesApi();
  api.taints = [{ key: KEY, effect: "NoSchedule" }];
  let changed = false;
  api.before = (call) => {
    if (call !== "patch" || changed) return;
    changed = true;
    api.taints = [OTHER, ...api.taints];
  };
  await removeTaint(api, { node: "n1", key: KEY }, { signal });
  assert.deepEqual(api.taints, [OTHER]);
  assert.deepEqual(api.calls, ["read", "patch", "read", "patch"]);
});

test("removing a taint: whoever changes the node without end is not fought without end", async () => {
  const api = new FakeKubernetesApi();
  api.taints = [{ key: KEY, effect: "NoSchedule" }];
  api.before = (call) => {
    if (call === "patch") throw new ApiError("conflict", "changed again");
  };
  await assert.rejects(
    removeTaint(api, { node: "n1", key: KEY }, { signal }),
    /changed again/,
  );
  assert(api.calls.length < 20);
});

test("removing a taint: what is no conflict is not tried again here", async () => {
  const api = new FakeKubernetesApi();
  api.taints = [{ key: KEY, effect: "NoSchedule" }];
  api.before = (call) => {
    if (call === "patch") throw new ApiError("forbidden", "not allowed");
  };
  await assert.rejects(removeTaint(api, { node: "n1", key: KEY }, { signal }), /not allowed/);
  assert.deepEqual(api.calls, ["read", "patch"]);
});
