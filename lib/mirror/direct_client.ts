/** Settings of {@link createDirectClient}. */
export interface DirectClientOptions {
  /** Idle connections kept to each host. */
  readonly poolIdlePerHost: number;
  /** How long an idle connection is kept, ms. */
  readonly poolIdleTimeoutMs: number;
}

/** Variables from which a client takes a proxy for plain HTTP at the moment it is made. */
const PROXY_VARIABLES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/**
 * Makes an HTTP client that goes to peers directly. Nodes of companies have proxy variables set for
 * the way out; peers are inside, and `NO_PROXY` seldom lists them by address. The runtime has no
 * setting for it, so the variables are hidden for the (synchronous) moment in which it looks.
 */
export function createDirectClient(options: DirectClientOptions): Deno.HttpClient {
  const hidden = new Map<string, string>();
  for (const name of PROXY_VARIABLES) {
    const value = Deno.env.get(name);
    if (value === undefined) continue;
    hidden.set(name, value);
    Deno.env.delete(name);
  }
  try {
    return Deno.createHttpClient({
      http1: true,
      http2: false,
      poolMaxIdlePerHost: options.poolIdlePerHost,
      poolIdleTimeout: options.poolIdleTimeoutMs,
    });
  } finally {
    for (const [name, value] of hidden) Deno.env.set(name, value);
  }
}
