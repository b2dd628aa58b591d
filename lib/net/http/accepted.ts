/** A server's certificate and key, PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** An accepted connection. */
export interface Accepted {
  readonly socket: Deno.TcpConn | Deno.TlsConn;
  /** The client's address; not always the socket's. */
  readonly remoteAddr: Deno.Addr;
  /** Ends the connection even during its handshake; undefined if nothing can. */
  readonly cut?: () => void;
  /** Signals that the handshake is done, so that the server decides when to end the connection. */
  readonly greeted?: () => void;
  close(): void;
}
