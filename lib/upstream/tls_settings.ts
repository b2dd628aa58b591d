/** How a server proves its identity, and this node its own. */
export interface TlsSettings {
  /** CA certificates trusted besides the system's, PEM. */
  readonly caCertificates: readonly string[];
  /** The certificate that this node shows, and its key, PEM. */
  readonly client?: { readonly certificate: string; readonly key: string } | undefined;
  /** True: the server's certificate is not verified; default false. */
  readonly skipVerify?: boolean;
}

/** The settings alone, without what else has them. */
export function tlsSettings({ caCertificates, client, skipVerify }: TlsSettings): TlsSettings {
  return { caCertificates, client, skipVerify: skipVerify ?? false };
}
