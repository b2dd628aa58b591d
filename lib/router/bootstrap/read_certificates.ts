import { join } from "node:path";

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
  const [authority, cert, key] = await Promise.all(
    ["ca.crt", "tls.crt", "tls.key"].map((name) => read(join(directory, name))),
  );
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

async function read(path: string): Promise<string | undefined> {
  try {
    const content = await Deno.readTextFile(path);
    return content.trim() === "" ? undefined : content;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
