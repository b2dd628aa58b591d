import { X509Certificate } from "node:crypto";
import { MisconfiguredError } from "./misconfigured_error.ts";
import type { TlsSettings } from "./tls_settings.ts";

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g;
/** Keys that need a passphrase, in PKCS#8 and in the older form of OpenSSL. */
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/**
 * Settings whose files the runtime can work with: like Go, and unlike the runtime, which breaks off
 * or hangs, ignores what is no certificate beside one that is.
 *
 * @throws {MisconfiguredError} if a file has no certificate at all, or the client's key is
 * encrypted: containerd cannot use them either.
 */
export function usableTls({ caCertificates, client, ...settings }: TlsSettings): TlsSettings {
  if (client !== undefined && ENCRYPTED.test(client.key)) {
    throw new MisconfiguredError(
      "the client's private key is encrypted",
      "name a key without a passphrase as `client` in the server's hosts.toml",
    );
  }
  return { ...settings, client, caCertificates: caCertificates.map(usableCertificates) };
}

function usableCertificates(pem: string): string {
  const usable = [...pem.matchAll(CERTIFICATES)].map(([block]) => block).filter(isCertificate);
  if (usable.length > 0) return usable.join("\n");
  throw new MisconfiguredError(
    "a CA file has no certificate that could be read",
    "correct the file that is `ca` in the server's hosts.toml",
  );
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
