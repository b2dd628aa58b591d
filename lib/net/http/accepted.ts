/** What a server shows to its clients, as PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A connection that was accepted. */
export interface Accepted {
  readonly socket: Deno.TcpConn | Deno.TlsConn;
  /** The client's; not always the socket's. */
  readonly remoteAddr: Deno.Addr;
  /** Ends it even while there is a handshake; undefined: nothing does. */
  readonly cut?: () => void;
  close(): void;
}
