import {
  context,
  propagation,
  ProxyTracerProvider,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

type Handle<Info> = (request: Request, info: Info) => Response | Promise<Response>;

/**
 * Wraps a handler with a span per request, if the runtime collects spans (`OTEL_DENO`): it creates
 * them only for its own server. Names and attributes follow OpenTelemetry's semantic conventions
 * for HTTP servers.
 */
export function traceRequests<Info>(handle: Handle<Info>): Handle<Info> {
  // Without a collector the library's provider is a stub.
  if (trace.getTracerProvider() instanceof ProxyTracerProvider) return handle;
  const tracer = trace.getTracer("eddy");
  return async (request, info) => {
    const { method, headers } = request;
    const { pathname, protocol } = new URL(request.url);
    const caller = propagation.extract(context.active(), headers, {
      get: (from, name) => from.get(name) ?? undefined,
      keys: (from) => [...from.keys()],
    });
    const attributes = {
      "http.request.method": method,
      "url.path": pathname,
      "url.scheme": protocol.slice(0, -1),
    };
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, caller);
    try {
      const response = await context.with(trace.setSpan(caller, span), () => handle(request, info));
      const { status } = response;
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      return response;
    } finally {
      span.end();
    }
  };
}
