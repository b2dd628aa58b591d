import { withoutBrackets } from "../../net/host_port.ts";
import { addressesOf, allowedAddresses, type ResolveAddresses } from "../forbidden_host.ts";
import { Connection, type WireRequest } from "./connection.ts";
import { type Connect, dial } from "./dial.ts";
import type { Head } from "./head.ts";
import type { HeaderFields } from "./header_fields.ts";
import { type TlsSettings, tlsSettings } from "../tls_settings.ts";
import { createTlsCheck } from "../usable_tls.ts";
import { type Lease, Pool } from "./pool.ts";

export interface DirectRequest extends TlsSettings {
  readonly method: "GET" | "HEAD" | "POST";
  readonly form?: URLSearchParams;
  readonly headers: HeaderFields;
  readonly dialTimeoutMs?: number | undefined;
  readonly trustedHosts: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

export interface DirectCollaborators {
  readonly resolve: ResolveAddresses;
  readonly connect: Connect;
}

const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

/**
 * Sends requests over its own connections: the runtime's `fetch` would resolve the name again, and
 * a malicious name server could then return another address.
 */
export class DirectClient implements Disposable {
  readonly #collaborators: DirectCollaborators;
  readonly #pool = new Pool();
  readonly #checkTls = createTlsCheck();

  constructor(collaborators: DirectCollaborators) {
    this.#collaborators = collaborators;
  }

  /** @throws {ForbiddenTargetError} if the host is forbidden and not trusted. */
  async send(url: URL, request: DirectRequest): Promise<Response> {
    const { method, form, trustedHosts, signal } = request;
    const tls = tlsSettings(request);
    const trusted = trustedHosts.has(url.host);
    // A connection opened with trust must not be reused without it.
    const key = JSON.stringify([url.protocol, url.host, trusted, tls]);
    const open = () => this.#open(url, request, trusted);
    const wired: WireRequest = {
      method,
      url,
      headers: form ? { ...request.headers, "content-type": FORM } : request.headers,
      body: form && new TextEncoder().encode(form.toString()),
    };
    // The server may have closed an idle connection in the meantime: then a new one is opened. A
    // POST is not idempotent, so it always gets a new one.
    for (let fresh = method === "POST";; fresh = true) {
      const lease = await this.#pool.take(key, open, { signal, fresh });
      try {
        return await answer(lease, wired, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!lease.reused) throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#pool[Symbol.dispose]();
  }

  async #open(
    url: URL,
    { dialTimeoutMs, signal, ...request }: DirectRequest,
    trusted: boolean,
  ): Promise<Connection> {
    const { resolve, connect } = this.#collaborators;
    const isSecure = url.protocol === "https:";
    const look = trusted ? addressesOf : allowedAddresses;
    const addresses = await look(url.hostname, { resolve, signal });
    const conn = await dial({
      addresses,
      port: Number(url.port || (isSecure ? 443 : 80)),
      tlsName: isSecure ? withoutBrackets(url.hostname) : undefined,
      tls: isSecure ? this.#checkTls(tlsSettings(request)) : tlsSettings(request),
      timeoutMs: dialTimeoutMs,
    }, { connect, signal });
    return new Connection(conn);
  }
}

/** Sends a request; the signal also cancels the body. */
async function answer(
  { connection, release }: Lease,
  request: WireRequest,
  signal: AbortSignal,
): Promise<Response> {
  const abort = () => connection.close();
  const end = () => {
    signal.removeEventListener("abort", abort);
    release();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const head = await connection.exchange(request);
    const { status, headers } = head;
    return new Response(bodyOf(connection, head, end), { status, headers });
  } catch (error) {
    connection.close();
    end();
    throw error;
  }
}

function bodyOf(
  connection: Connection,
  { framing }: Head,
  end: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> | null {
  if (framing.type === "length" && framing.bytes === 0) {
    end();
    return null;
  }
  return new ReadableStream({
    async pull(controller) {
      try {
        const piece = await connection.read();
        if (piece !== undefined) return controller.enqueue(piece);
        controller.close();
      } catch (error) {
        connection.close();
        controller.error(error);
      }
      end();
    },
    cancel() {
      connection.close();
      end();
    },
  }, { highWaterMark: 0 });
}
