/**
 * Opens a TCP connection for small requests, without Nagle's delay (RFC 896).
 *
 * @param address IP address without brackets.
 * @throws the signal's reason when that aborts.
 */
export async function openTcp(
  { address, port }: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: address, port, signal });
  conn.setNoDelay(true);
  return conn;
}

/**
 * Waits for the TLS handshake. Closes the connection if that fails or the signal aborts.
 *
 * @throws the signal's reason when that aborts.
 */
export async function shakeHands(conn: Deno.TlsConn, signal: AbortSignal): Promise<void> {
  let closed = false;
  const close = () => {
    if (!closed) conn.close();
    closed = true;
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    await conn.handshake();
    signal.throwIfAborted();
  } catch (error) {
    close();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}
