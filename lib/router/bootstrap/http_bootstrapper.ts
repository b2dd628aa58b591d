import { deadline } from "../../async/deadline.ts";
import { readLimited } from "../../net/bytes.ts";
import { createHttpClient } from "../../net/http_client.ts";
import { proxyFromEnvironment } from "../../net/proxy.ts";
import { BOOTSTRAP_PATH } from "../../oci/peer_protocol.ts";
import type { BootstrapPeer, Bootstrapper, BootstrapSelf } from "./bootstrapper.ts";
import {
  type IdentityServer,
  type IdentityServerCollaborators,
  startIdentityServer,
} from "./identity_server.ts";
import { parseEntries } from "./parse_entries.ts";
import { type ClientCertificates, readCertificates } from "./read_certificates.ts";

/** Maximum length of an answer, bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 3000;

export interface HttpBootstrapperOptions {
  /**
   * Where to serve this node's identity as `/id`; undefined: nowhere. Empty host: all addresses.
   */
  readonly listen?:
    | { readonly host: string; readonly port: number } & IdentityServerCollaborators
    | undefined;
  /** URL of the list, http or https, e.g. `http://eddy-bootstrap:5002/id`. */
  readonly url: string;
  /**
   * Directory of `ca.crt`, the CA of an https URL, and of the client certificate `tls.crt` and
   * `tls.key`. Read for each request: certificates are renewed.
   */
  readonly certificates?: string | undefined;
  /** Further CA certificates, PEM; default: none. */
  readonly authorities?: () => Promise<readonly string[]>;
}

/** An HTTP bootstrapper, with its listening port. */
export interface HttpBootstrapper extends Bootstrapper {
  start(self: BootstrapSelf): Promise<void>;
  stop(): Promise<void>;
  /** Port of `/id` once started; undefined if it is not served. */
  readonly port: number | undefined;
}

/**
 * Bootstraps from the peers that a URL lists as `[{"ID": "…", "Addrs": ["/ip4/…/tcp/5001"]}]`,
 * go-libp2p's AddrInfo in JSON, which Spegel uses too. `ID` may be empty; `Hearsay` is true for
 * peers other than the responding node.
 *
 * @throws {TypeError} if the URL is not http or https.
 */
export function createHttpBootstrapper(options: HttpBootstrapperOptions): HttpBootstrapper {
  const url = URL.parse(options.url);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new TypeError(
      `HTTP bootstrap URL is ${options.url}, want http://HOST:PORT${BOOTSTRAP_PATH}`,
    );
  }
  let server: IdentityServer | undefined;
  return {
    get port() {
      return server?.port;
    },
    // deno-lint-ignore require-await
    async start(self) {
      const { listen } = options;
      if (listen !== undefined) server = startIdentityServer(listen, self, listen);
    },
    async get(cancellable) {
      using limit = deadline(REQUEST_TIMEOUT_MS, cancellable);
      return parseAnswer(await request(url, options, limit.signal));
    },
    deaf: () => server?.deaf() ?? false,
    async stop() {
      await server?.stop();
      server = undefined;
    },
  };
}

/** Parses the JSON answer. @throws {TypeError} if it has another shape. */
export function parseAnswer(text: string): BootstrapPeer[] {
  return parseEntries(JSON.parse(text));
}

async function request(
  url: URL,
  { certificates, authorities }: HttpBootstrapperOptions,
  signal: AbortSignal,
): Promise<string> {
  const own: ClientCertificates = certificates === undefined
    ? {}
    : await readCertificates(certificates);
  const tls = { ...own, caCerts: [...own.caCerts ?? [], ...await authorities?.() ?? []] };
  const proxy = proxyFromEnvironment()(url);
  using client = createHttpClient(url, proxy, { poolMaxIdlePerHost: 0, ...tls });
  const response = await fetch(url, { signal, client, redirect: "error" });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`bootstrap request to ${url.host} was answered ${response.status}, want 200`);
  }
  return new TextDecoder().decode(await readLimited(response, MAX_ANSWER_BYTES));
}
