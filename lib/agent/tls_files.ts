import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readTlsFiles } from "../files/read_tls_files.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A node's certificate for its peers, and the CA that it verifies theirs with, as PEM. */
export interface PeerCertificates {
  /** The certificate, followed by the intermediate ones. */
  readonly cert: string;
  readonly key: string;
  readonly authority: string;
  /** When the certificate expires, ms since 1970. */
  readonly expires: number;
}

/**
 * Reads `tls.crt`, `tls.key` and `ca.crt`.
 *
 * @param name DNS name that the certificate must have.
 * @throws {Error} naming the file that is missing or invalid; it contains nothing of the key.
 */
export async function readPeerCertificates(
  directory: string,
  name: string,
): Promise<PeerCertificates> {
  const { cert, key, authority } = await readTlsFiles(directory);
  if (cert === undefined) throw new Error("tls.crt is missing or empty");
  if (key === undefined) throw new Error("tls.key is missing or empty");
  if (authority === undefined) throw new Error("ca.crt is missing or empty");
  const [own] = certificates(cert, "tls.crt");
  certificates(authority, "ca.crt");
  if (own === undefined) throw new Error("tls.crt has no certificate in PEM form");
  if (own.checkHost(name) === undefined) {
    throw new Error(`tls.crt is not for the DNS name ${name} (subject alternative names)`);
  }
  if (spki(own.publicKey) !== spki(publicKeyOf(key))) {
    throw new Error("tls.key is not the key of tls.crt");
  }
  return { cert, key, authority, expires: Date.parse(own.validTo) };
}

function certificates(pem: string, file: string): X509Certificate[] {
  const found = pem.match(CERTIFICATE) ?? [];
  if (found.length === 0) throw new Error(`${file} has no certificate in PEM form`);
  try {
    return found.map((one) => new X509Certificate(one));
  } catch {
    throw new Error(`${file} has an invalid certificate`);
  }
}

type PublicKey = X509Certificate["publicKey"];

function publicKeyOf(key: string): PublicKey {
  try {
    return createPublicKey(createPrivateKey(key));
  } catch {
    throw new Error("tls.key is not an unencrypted private key in PEM form");
  }
}

function spki(key: PublicKey): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}
