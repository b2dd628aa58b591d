import assert from "node:assert/strict";
import { parse } from "yaml";
import { test } from "../support/test.ts";

test("k8s-digester example: it touches pods alone, and never keeps one from starting", async () => {
  const url = new URL("../../deploy/examples/k8s-digester-pods.yaml", import.meta.url);
  const { kind, webhooks } = parse(await Deno.readTextFile(url));
  assert.equal(kind, "MutatingWebhookConfiguration");
  assert.equal(webhooks.length, 1);
  const [{ rules, failurePolicy, sideEffects, namespaceSelector }] = webhooks;
  assert.deepEqual(rules, [{
    apiGroups: [""],
    apiVersions: ["v1"],
    resources: ["pods"],
    operations: ["CREATE"],
    scope: "Namespaced",
  }]);
  assert.equal(failurePolicy, "Ignore");
  assert.equal(sideEffects, "None");
  assert.deepEqual(Object.keys(namespaceSelector.matchLabels), ["digest-resolution"]);
});
