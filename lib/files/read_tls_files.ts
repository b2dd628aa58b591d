import { join } from "node:path";
import { ifPresent } from "./if_present.ts";
import { readSmallFile } from "./read_small_file.ts";

/** Upper bound of a certificate file, bytes. */
const MAX_BYTES = 256 * 1024;

/** Certificates and a private key as PEM; missing and empty ones are undefined. */
export interface TlsFiles {
  /** From `tls.crt`: a certificate, followed by its intermediate CAs. */
  readonly cert: string | undefined;
  /** From `tls.key`. */
  readonly key: string | undefined;
  /** From `ca.crt`: CA certificates. */
  readonly authority: string | undefined;
}

/**
 * Reads `tls.crt`, `tls.key` and `ca.crt` from a directory, as named by Kubernetes secrets (type
 * `kubernetes.io/tls`) and cert-manager.
 *
 * @throws {Error} if a file exists but cannot be read, or is too large.
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
