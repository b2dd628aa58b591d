import assert from "node:assert/strict";
import { WITHOUT_UPSTREAM } from "../support/without_upstream.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { until } from "../support/eventually.ts";
import { freePorts } from "../support/free_ports.ts";
import { test } from "../support/test.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** The parts of OTLP that are read here (opentelemetry-proto, trace/v1). */
interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface Span {
  readonly kind: number;
  readonly attributes: readonly Attribute[];
}

/** `SPAN_KIND_SERVER`. */
const SERVER = 2;

/** Takes what is sent to it as a collector does; keeps the paths of requests that spans tell of. */
function startCollector() {
  const paths: string[] = [];
  const services = new Set<string | undefined>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      if (new URL(request.url).pathname === "/v1/traces") {
        for (const { resource, scopeSpans } of (JSON.parse(body) as Traces).resourceSpans) {
          services.add(attribute(resource.attributes, "service.name"));
          for (const { kind, attributes } of scopeSpans.flatMap(({ spans }) => spans)) {
            if (kind === SERVER) paths.push(attribute(attributes, "url.path") ?? "");
          }
        }
      }
      return Response.json({});
    },
  );
  return { server, paths, services, url: `http://127.0.0.1:${server.addr.port}` };
}

function attribute(attributes: readonly Attribute[], wanted: string): string | undefined {
  return attributes.find(({ key }) => key === wanted)?.value.stringValue;
}

test("tracing: with Deno's variables set, each request has a span at the collector", async () => {
  const layout = await Deno.makeTempDir({ prefix: "eddy-tracing-" });
  await new OciLayoutWriter(layout).init();
  const [registry, router, metrics] = await freePorts(3);
  const collector = startCollector();
  const agent = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", MAIN, "agent", "--store", `oci-layout:${layout}`, ...WITHOUT_UPSTREAM],
      ...["--registry-addr", `127.0.0.1:${registry}`, "--router-addr", `127.0.0.1:${router}`],
      ...["--metrics-addr", `127.0.0.1:${metrics}`],
    ],
    env: {
      OTEL_DENO: "true",
      OTEL_SERVICE_NAME: "eddy",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const status = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${registry}${path}`);
      await response.body?.cancel();
      return response.status;
    };
    await until(() => status("/readyz").then((code) => code === 200, () => false));
    const paths = [1, 2, 3].map((tag) => `/v2/library/app/manifests/${tag}`);
    for (const path of paths) assert.equal(await status(path), 404);
    await until(() => paths.every((path) => collector.paths.includes(path)));
    assert.deepEqual([...collector.services], ["eddy"]);
  } finally {
    agent.kill("SIGTERM");
    await agent.status;
    await collector.server.shutdown();
    await Deno.remove(layout, { recursive: true });
  }
});
