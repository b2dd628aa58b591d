import assert from "node:assert/strict";
import { join } from "node:path";
import { ApiError, type ApiErrorKind } from "../../lib/kubernetes/api_error.ts";
import { createKubernetesApi } from "../../lib/kubernetes/create_api.ts";
import { test } from "../support/test.ts";

const { signal } = new AbortController();

/** An API server that answers as it is told, and the kubeconfig for it. */
async function withServer(
  answer: (request: Request) => Response | Promise<Response>,
  use: (kubeconfig: string, url: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-kubernetes-" });
  const abort = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: abort.signal },
    answer,
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const kubeconfig = join(directory, "kubeconfig");
  await Deno.writeTextFile(kubeconfig, kubeconfigOf(url));
  try {
    await use(kubeconfig, url);
  } finally {
    abort.abort();
    await server.finished;
    await Deno.remove(directory, { recursive: true });
  }
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    // Without this the library refuses plain HTTP.
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "secret-token" } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "own" } }],
  });
}

function status(code: number, message: string): Response {
  return Response.json({ kind: "Status", apiVersion: "v1", code, message }, { status: code });
}

test("API server: what goes wrong is told in one line, by kind", async (t) => {
  const cases: [answer: () => Response, kind: ApiErrorKind, message: RegExp][] = [
    [() => status(403, 'nodes "n1" is forbidden'), "forbidden", /answered 403: nodes "n1" is forb/],
    [() => status(401, "Unauthorized"), "unauthorized", /answered 401: the token .*not accepted$/],
    [() => status(404, 'nodes "n1" not found'), "not-found", /answered 404: nodes "n1" not found$/],
    [() => status(409, "changed"), "conflict", /answered 409: changed$/],
    [() => status(422, "testing path failed"), "conflict", /answered 422: testing path failed$/],
    [() => status(429, "too many"), "throttled", /answered 429: too many$/],
    [() => status(503, "not ready"), "unavailable", /answered 503: not ready$/],
    [
      () => new Response(`<html>\n${"x".repeat(10_000)}`, { status: 502 }),
      "unavailable",
      /answered 502: .{1,300}$/,
    ],
    [() => status(418, "tea"), "other", /answered 418: tea$/],
    [
      () => new Response("{", { headers: { "content-type": "application/json" } }),
      "unavailable",
      /cannot be used: /,
    ],
  ];
  for (const [answer, kind, message] of cases) {
    await t.step(String(message), () =>
      withServer(answer, async (kubeconfig, url) => {
        const api = createKubernetesApi({ kubeconfig });
        await assert.rejects(api.readNode("n1", { signal }), (error) => {
          assert(error instanceof ApiError);
          assert.equal(error.kind, kind);
          assert.match(error.message, message);
          assert(error.message.startsWith("cannot read node n1: API server"), error.message);
          assert(!error.message.includes("\n") && !error.message.includes("secret-token"));
          assert(error.message.includes(url));
          return true;
        });
      }));
  }
});

test("API server: one that does not answer is given up in time", async () => {
  const { promise: release, resolve } = Promise.withResolvers<Response>();
  await withServer(() => release, async (kubeconfig) => {
    const api = createKubernetesApi({ kubeconfig, timeoutMs: 100 });
    await assert.rejects(api.readNode("n1", { signal }), /cannot be used: not done within 100 ms/);
    resolve(new Response());
  });
});

test("API server: whoever asks can stop waiting", async () => {
  const { promise: release, resolve } = Promise.withResolvers<Response>();
  const abort = new AbortController();
  await withServer(() => {
    abort.abort(new Error("told to stop"));
    return release;
  }, async (kubeconfig) => {
    const api = createKubernetesApi({ kubeconfig });
    await assert.rejects(api.readNode("n1", { signal: abort.signal }), /^Error: told to stop$/);
    resolve(new Response());
  });
});

test("API server: a kubeconfig that comes later is used then", async () => {
  await withServer(
    () => Response.json({ kind: "Node", metadata: { name: "n1" } }),
    async (kubeconfig, url) => {
      await Deno.remove(kubeconfig);
      const api = createKubernetesApi({ kubeconfig });
      await assert.rejects(
        api.readNode("n1", { signal }),
        /cannot be used: .*ENOENT|no such file/i,
      );
      await Deno.writeTextFile(kubeconfig, kubeconfigOf(url));
      assert.deepEqual(await api.readNode("n1", { signal }), {
        name: "n1",
        labels: {},
        taints: [],
      });
    },
  );
});

test("API server: what is asked is what is sent", async () => {
  const requests: { method: string; url: string; type: string | null; body: string }[] = [];
  await withServer(async (request) => {
    const { method, headers } = request;
    const { pathname, search } = new URL(request.url);
    const url = pathname + search;
    requests.push({ method, url, type: headers.get("content-type"), body: await request.text() });
    assert.equal(headers.get("authorization"), "Bearer secret-token");
    if (url.includes("endpointslices")) {
      return Response.json({
        kind: "EndpointSliceList",
        metadata: { continue: "next" },
        items: [{
          addressType: "IPv4",
          ports: [{ name: "router", port: 5001 }, { name: "any" }],
          endpoints: [
            { addresses: ["10.0.0.1"], conditions: { ready: false }, targetRef: { uid: "u1" } },
            { addresses: ["10.0.0.2"], conditions: { terminating: true } },
          ],
        }, { addressType: "IPv4", ports: null, endpoints: null }],
      });
    }
    return Response.json({ metadata: { name: "n1" }, spec: { taints: [{ key: "k" }] } });
  }, async (kubeconfig) => {
    const api = createKubernetesApi({ kubeconfig });
    const patch = [{ op: "remove", path: "/spec/taints/0" }] as const;
    await api.patchNode("n1", patch, { signal });
    assert.deepEqual(
      await api.listEndpointSlices({ namespace: undefined, service: "s", limit: 5 }, { signal }),
      {
        slices: [
          {
            addressType: "IPv4",
            ports: [{ name: "router", port: 5001 }],
            endpoints: [
              { addresses: ["10.0.0.1"], terminating: false, uid: "u1" },
              { addresses: ["10.0.0.2"], terminating: true },
            ],
          },
          { addressType: "IPv4", ports: [], endpoints: [] },
        ],
        continueAt: "next",
      },
    );
    const query = { namespace: "other", service: "s", limit: 5, continueAt: "next" };
    await api.listEndpointSlices(query, { signal });
    const slices = (namespace: string) =>
      `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
    assert.deepEqual(requests.map(({ method, url }) => `${method} ${decodeURIComponent(url)}`), [
      "PATCH /api/v1/nodes/n1",
      `GET ${slices("own")}?labelSelector=kubernetes.io/service-name=s&limit=5`,
      `GET ${slices("other")}?continue=next&labelSelector=kubernetes.io/service-name=s&limit=5`,
    ]);
    assert.equal(requests[0]?.type, "application/json-patch+json");
    assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), patch);
  });
});

test("API server: a DaemonSet and its pods", async (t) => {
  const objects = {
    daemonset: {},
    pods: [] as unknown[],
  };
  const urls: string[] = [];
  await withServer((request) => {
    const { pathname, search } = new URL(request.url);
    urls.push(decodeURIComponent(pathname + search));
    return Response.json(
      pathname.includes("daemonsets") ? objects.daemonset : { items: objects.pods },
    );
  }, async (kubeconfig) => {
    const api = createKubernetesApi({ kubeconfig });
    const metadata = { name: "a" };
    const spec = { selector: { matchLabels: { app: "x", part: "y" } } };
    const sets: [name: string, object: unknown, desired: number | undefined][] = [
      ["new", { metadata: { generation: 1 }, spec, status: {} }, undefined],
      [
        "changed since it was counted",
        {
          ...{ metadata: { generation: 2 }, spec },
          status: { observedGeneration: 1, desiredNumberScheduled: 3 },
        },
        undefined,
      ],
      [
        "counted",
        {
          ...{ metadata: { generation: 2 }, spec },
          status: { observedGeneration: 2, desiredNumberScheduled: 3 },
        },
        3,
      ],
    ];
    for (const [name, object, desired] of sets) {
      await t.step(name, async () => {
        objects.daemonset = object as typeof objects.daemonset;
        assert.deepEqual(await api.readDaemonSet("ns", "a", { signal }), {
          desired,
          selector: { app: "x", part: "y" },
        });
      });
    }
    const affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] },
          ],
        },
      },
    };
    const waiting = [{ name: "c", state: { waiting: { reason: "ErrImagePull" } } }];
    objects.pods = [
      { metadata, spec: { nodeName: "n1" }, status: { phase: "Running", podIP: "10.0.0.1" } },
      { metadata, spec: { affinity }, status: { phase: "Pending" } },
      { metadata, spec: { nodeName: "n3" }, status: { phase: "Failed", podIP: "10.0.0.3" } },
      {
        ...{ metadata, spec: { nodeName: "n4" } },
        status: { phase: "Pending", containerStatuses: waiting },
      },
      { metadata: { name: "going", deletionTimestamp: "2026-01-01T00:00:00Z" }, spec: {} },
    ];
    assert.deepEqual(await api.listPods("ns", { app: "x", part: "y" }, { signal }), [
      { name: "a", phase: "Running", node: "n1", address: "10.0.0.1" },
      { name: "a", phase: "Pending", node: "n2" },
      { name: "a", phase: "Failed", node: "n3" },
      { name: "a", phase: "Pending, ErrImagePull", node: "n4" },
    ]);
    assert.deepEqual(urls.slice(-2), [
      "/apis/apps/v1/namespaces/ns/daemonsets/a",
      "/api/v1/namespaces/ns/pods?labelSelector=app=x,part=y",
    ]);
  });
});
