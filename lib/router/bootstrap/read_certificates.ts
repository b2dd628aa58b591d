import { readTlsFiles } from "../../files/read_tls_files.ts";

/** Trusted and own certificates of a client, PEM. */
export interface ClientCertificates {
  /** CA certificates; undefined: the system's. */
  readonly caCerts?: string[];
  /** Client certificate and its key; both or none. */
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Reads `ca.crt`, `tls.crt` and `tls.key` from a directory, as named by Kubernetes. Each may be
 * missing, but a certificate needs its key.
 *
 * @throws {Error} if a file cannot be read, or only one of `tls.crt` and `tls.key` exists.
 */
export async function readCertificates(directory: string): Promise<ClientCertificates> {
  const { cert, key, authority } = await readTlsFiles(directory);
  if ((cert === undefined) !== (key === undefined)) {
    throw new Error(
      `${directory} has only ${
        cert === undefined ? "tls.key" : "tls.crt"
      }, want tls.crt and tls.key`,
    );
  }
  return {
    ...(authority === undefined ? {} : { caCerts: [authority] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}
