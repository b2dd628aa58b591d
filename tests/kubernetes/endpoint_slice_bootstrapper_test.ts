import assert from "node:assert/strict";
import { createEndpointSliceBootstrapper } from "../../lib/kubernetes/endpoint_slice_bootstrapper.ts";
import type { EndpointSlice } from "../../lib/kubernetes/api.ts";
import { FakeKubernetesApi } from "../fakes/kubernetes.ts";
import { test } from "../support/test.ts";

const { signal } = new AbortController();
const ROUTER = { name: "router", port: 5001 };

function slice(addresses: readonly string[], ports: EndpointSlice["ports"] = [ROUTER]) {
  return {
    addressType: "IPv4",
    ports,
    endpoints: addresses.map((address) => ({ addresses: [address], terminating: false })),
  };
}

function bootstrapper(api: FakeKubernetesApi, whole = false) {
  const service = { namespace: "eddy", service: "bootstrap" };
  return createEndpointSliceBootstrapper({ api }, { ...service, whole });
}

test("endpoint slices: addresses with the router's port, or with none", async () => {
  const api = new FakeKubernetesApi();
  api.pages = [{
    slices: [
      slice(["10.0.0.1"], [{ name: "registry", port: 5000 }, { name: "router", port: 6001 }]),
      slice(["10.0.0.2"], [{ name: "registry", port: 5000 }]),
      slice([]),
    ],
  }];
  assert.deepEqual(await bootstrapper(api).get({ signal }), [
    { addresses: [{ ip: "10.0.0.1", port: 6001 }] },
    { addresses: [{ ip: "10.0.0.2" }] },
  ]);
  assert.equal(api.queries[0]?.namespace, "eddy");
  assert.equal(api.queries[0]?.service, "bootstrap");
});

test("endpoint slices: a pod with two families is one peer; names and ending pods are none", async () => {
  const api = new FakeKubernetesApi();
  const endpoint = (address: string, more = {}) => {
    return { addresses: [address], terminating: false, ...more };
  };
  api.pages = [{
    slices: [
      {
        addressType: "IPv4",
        ports: [ROUTER],
        endpoints: [
          endpoint("10.0.0.1", { uid: "a" }),
          endpoint("10.0.0.2", { uid: "b", terminating: true }),
        ],
      },
      { addressType: "IPv6", ports: [ROUTER], endpoints: [endpoint("fd00::1", { uid: "a" })] },
      { addressType: "FQDN", ports: [ROUTER], endpoints: [endpoint("node.example")] },
    ],
  }];
  assert.deepEqual(await bootstrapper(api).get({ signal }), [
    { addresses: [{ ip: "10.0.0.1", port: 5001 }, { ip: "fd00::1", port: 5001 }] },
  ]);
});

test("endpoint slices: a long list is read until there are enough, never without end", async (t) => {
  const many = (page: number, count: number) =>
    slice(Array.from({ length: count }, (_, index) => `10.${page}.${index >> 8}.${index & 255}`));
  const cases = [
    { name: "enough on the first page", pages: [100, 100, 100], read: 1 },
    { name: "few on each page", pages: [1, 1, 100, 1], read: 3 },
    { name: "nearly empty pages without end", pages: Array.from({ length: 50 }, () => 1), read: 8 },
    { name: "all of them, if all matter", pages: [100, 100, 100], read: 3, whole: true },
    { name: "all without end", pages: Array.from({ length: 50 }, () => 1), read: 8, whole: true },
  ];
  for (const { name, pages, read, whole = false } of cases) {
    await t.step(name, async () => {
      const api = new FakeKubernetesApi();
      api.pages = pages.map((count, index) => ({
        slices: [many(index, count)],
        ...(index + 1 < pages.length ? { continueAt: String(index + 1) } : {}),
      }));
      const peers = await bootstrapper(api, whole).get({ signal });
      assert.equal(api.queries.length, read);
      assert.equal(peers.length, pages.slice(0, read).reduce((sum, count) => sum + count, 0));
    });
  }
});
