/** A client certificate and its key, PEM. */
export interface ClientPair {
  readonly certificate: string;
  readonly key: string;
}

/** Certificates by which a server and this node authenticate to each other. */
export interface TlsSettings {
  /** CA certificates trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
  /** This node's client certificate. */
  readonly client?: ClientPair | undefined;
  /** True: the server's certificate is not verified; default false. */
  readonly skipVerify?: boolean;
}

/** Picks the settings from an object with further fields. */
export function tlsSettings({ caCertificates, client, skipVerify }: TlsSettings): TlsSettings {
  return { caCertificates, client, skipVerify: skipVerify ?? false };
}
