import type { Buffer } from "node:buffer";
import { isIP, Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { untilAborted } from "../../async/until_aborted.ts";
import { asTlsFault } from "../misconfigured_error.ts";
import type { TlsSettings } from "../tls_settings.ts";
import type { ByteConnection } from "./byte_connection.ts";

/** A connection whose TLS handshake has begun. */
interface BegunTls {
  readonly socket: TLSSocket;
  /** Resolves when the handshake is done. */
  readonly secured: Promise<void>;
  readonly failure: Failure;
}

/** Why a socket broke; the runtime may tell it before anybody reads or writes. */
interface Failure {
  error?: unknown;
}

/**
 * Makes an opener of TLS connections beyond `Deno.startTls`: with a client certificate, without
 * verification, or with a server certificate that is its own CA. It resolves when the handshake
 * begins.
 *
 * @param name the server name to verify.
 */
export function tlsOpener(
  name: string,
  { caCertificates, client, skipVerify = false }: TlsSettings,
): (address: string, port: number, signal: AbortSignal) => Promise<BegunTls> {
  const options = {
    host: name,
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: !skipVerify,
    // An address is not a server name (RFC 6066, section 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(caCertificates.length === 0 ? {} : { ca: [...caCertificates] }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
  };
  return async (address, port, signal) => {
    const tcp = new Socket();
    const begun = Promise.withResolvers<BegunTls>();
    // At once: Deno 2.6 cannot start TLS on a socket that has begun to read.
    tcp.once("connect", () => {
      try {
        const socket = connectTls({ ...options, socket: tcp.setNoDelay(true) });
        const failure: Failure = {};
        // Deno 2.6 finishes the handshake later: its failures arrive as errors of the socket. So do
        // those of TLS 1.3, whose client is done before the server has looked at its certificate.
        socket.on("error", (error) => failure.error = asTlsFault(error) ?? error);
        const secured = event(socket, "secureConnect");
        secured.catch(() => {});
        begun.resolve({ socket, secured, failure });
      } catch (error) {
        begun.reject(error);
      }
    });
    tcp.once("error", begun.reject);
    try {
      tcp.connect(port, address);
      return await untilAborted(begun.promise, signal);
    } catch (error) {
      tcp.destroy();
      signal.throwIfAborted();
      throw asTlsFault(error) ?? error;
    }
  };
}

/**
 * Waits for the handshake. Owns the connection even on failure.
 *
 * @throws {MisconfiguredError} if either side fails to authenticate; the signal's reason when that
 * aborts.
 */
export async function secured(
  { socket, secured, failure }: BegunTls,
  signal: AbortSignal,
): Promise<ByteConnection> {
  try {
    await untilAborted(secured, signal);
    return new TlsSocketConnection(socket, failure);
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw asTlsFault(error) ?? error;
  }
}

/** Adapts a socket of node:tls. */
class TlsSocketConnection implements ByteConnection {
  readonly #socket: TLSSocket;
  readonly #pieces: AsyncIterator<Buffer, undefined>;
  /** An iteration may end without an error. */
  readonly #failure: Failure;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(socket: TLSSocket, failure: Failure) {
    this.#socket = socket;
    this.#failure = failure;
    this.#pieces = socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const next = await this.#pieces.next().catch((error) => {
        throw this.#failure.error ?? asTlsFault(error) ?? error;
      });
      if (next.done === true) {
        if (this.#failure.error !== undefined) throw this.#failure.error;
        return null;
      }
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, buffer.length);
    buffer.set(taken);
    this.#rest = this.#rest.subarray(taken.length);
    return taken.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const written = Promise.withResolvers<void>();
    const close = () =>
      written.reject(this.#failure.error ?? new Error("the connection is closed"));
    if (this.#failure.error !== undefined) close();
    this.#socket.once("close", close);
    this.#socket.write(bytes, (error) => error ? written.reject(error) : written.resolve());
    try {
      await written.promise;
      return bytes.length;
    } catch (error) {
      throw this.#failure.error ?? asTlsFault(error) ?? error;
    } finally {
      this.#socket.off("close", close);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Resolves with an event of a socket; rejects if that fails or closes first. */
async function event(socket: Socket, name: string): Promise<void> {
  const happened = Promise.withResolvers<void>();
  const onEvent = () => happened.resolve();
  const onClose = () => happened.reject(new Error("the connection ended"));
  socket.once(name, onEvent).once("error", happened.reject).once("close", onClose);
  try {
    await happened.promise;
  } finally {
    socket.off(name, onEvent).off("close", onClose).off("error", happened.reject);
  }
}
