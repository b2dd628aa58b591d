import { Hono } from "hono";

export interface MetricsAppCollaborators {
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  /** Media type of the text. */
  readonly contentType: string;
  /** True once the agent is ready. */
  ready(): boolean;
  /** Handles all other paths, e.g. the debug pages; default: 404. */
  readonly others?:
    | { fetch(request: Request, bindings: unknown): Response | Promise<Response> }
    | undefined;
}

/** Serves `GET /metrics`, `/livez` and `/readyz` (503 until ready). */
export function createMetricsApp(collaborators: MetricsAppCollaborators): Hono {
  const { text, contentType, ready, others } = collaborators;
  const app = new Hono();
  app.get("/metrics", async (c) => c.body(await text(), 200, { "content-type": contentType }));
  app.get("/livez", (c) => c.text("ok\n"));
  app.get("/readyz", (c) => ready() ? c.text("ok\n") : c.text("not ready\n", 503));
  app.notFound((c) => others?.fetch(c.req.raw, c.env) ?? c.text("not found\n", 404));
  app.onError((_error, c) => c.text("metrics could not be collected\n", 500));
  return app;
}
