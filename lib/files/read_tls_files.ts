import { join } from "node:path";
import { ifPresent } from "./if_present.ts";
import { readSmallFile } from "./read_small_file.ts";

/** Files of certificates are smaller. */
const MAX_BYTES = 256 * 1024;

/** Certificates and a private key as PEM; what is missing or empty is undefined. */
export interface TlsFiles {
  /** From `tls.crt`: a certificate, followed by those between it and the authority. */
  readonly cert: string | undefined;
  /** From `tls.key`. */
  readonly key: string | undefined;
  /** From `ca.crt`: the certificates of authorities. */
  readonly authority: string | undefined;
}

/**
 * Reads `tls.crt`, `tls.key` and `ca.crt` from a directory, the names that secrets of Kubernetes
 * (type `kubernetes.io/tls`) and cert-manager give them.
 *
 * @throws {Error} if one is there and cannot be read, or is too large.
 */
export async function readTlsFiles(directory: string): Promise<TlsFiles> {
  const [cert, key, authority] = await Promise.all(
    ["tls.crt", "tls.key", "ca.crt"].map(async (name) => {
      const text = await ifPresent(readSmallFile(join(directory, name), MAX_BYTES));
      return text?.trim() === "" ? undefined : text;
    }),
  );
  return { cert, key, authority };
}
