import { pairFault } from "./pair_fault.ts";

/** Settings of {@link createHttpClient}. */
export type HttpClientOptions =
  & Omit<Deno.CreateHttpClientOptions, "proxy">
  & Partial<Deno.TlsCertifiedKeyPem>;

/**
 * A client of the runtime's `fetch` for the origin of one URL, through a proxy or directly. Without
 * such a client, `fetch` itself would choose a proxy from the environment, by rules that are not
 * containerd's.
 *
 * @param proxy undefined: directly.
 * @throws {Error} if the runtime cannot use a client's certificate with its key.
 */
export function createHttpClient(
  url: URL,
  proxy: URL | undefined,
  options: HttpClientOptions = {},
): Deno.HttpClient {
  const { cert, key } = options;
  const fault = cert === undefined ? undefined : pairFault(cert, key ?? "");
  if (fault !== undefined) {
    throw new Error(`the private key cannot be used with the certificate: ${fault}`);
  }
  if (proxy !== undefined) return Deno.createHttpClient({ ...options, proxy: through(proxy) });
  // The runtime speaks no TLS over the connection below: for https it applies NO_PROXY by itself.
  if (url.protocol === "https:") return Deno.createHttpClient(options);
  return Deno.createHttpClient({ ...options, proxy: direct(url) });
}

function direct({ hostname, port }: URL): Deno.Proxy {
  return {
    transport: "tcp",
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port || 80),
  };
}

function through(proxy: URL): Deno.Proxy {
  const { username, password } = proxy;
  const url = new URL(proxy);
  url.username = url.password = "";
  const basicAuth = username === "" ? {} : {
    basicAuth: { username: decodeURIComponent(username), password: decodeURIComponent(password) },
  };
  return { url: url.href, ...basicAuth };
}
