import { X509Certificate } from "node:crypto";
import { LRUCache } from "lru-cache";
import { pairFault } from "../net/pair_fault.ts";
import { MisconfiguredError } from "./misconfigured_error.ts";
import type { ClientPair, TlsSettings } from "./tls_settings.ts";

const KEY = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^]*?-----END \1?PRIVATE KEY-----/;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g;
/** Keys that need a passphrase, in PKCS#8 and in the older form of OpenSSL. */
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** Files that are remembered: those of a system have some 150 certificates, which take 5 ms. */
const MAX_FILES = 32;

/** Makes settings usable, see {@link createTlsCheck}. */
type TlsCheck = (settings: TlsSettings) => TlsSettings;

/**
 * Makes a check of settings, which returns them with files that the runtime can work with: like Go,
 * and unlike the runtime, which breaks off, hangs or ends the process, it ignores what is no
 * certificate beside one that is. It throws {@link MisconfiguredError} if a file has no certificate
 * at all, or the client's key cannot be used or is not that of its certificate: containerd cannot
 * use them either.
 */
export function createTlsCheck(): TlsCheck {
  const known = new LRUCache<string, string>({ max: MAX_FILES });
  const authorities = (pem: string): string => {
    let usable = known.get(pem);
    if (usable === undefined) known.set(pem, usable = usableCertificates(pem, "ca"));
    return usable;
  };
  const clients = new LRUCache<string, ClientPair>({ max: MAX_FILES });
  const pair = (client: ClientPair): ClientPair => {
    const key = `${client.certificate}${client.key}`;
    let usable = clients.get(key);
    if (usable === undefined) clients.set(key, usable = usableClient(client));
    return usable;
  };
  return ({ caCertificates, client, ...settings }) => ({
    ...settings,
    caCertificates: caCertificates.map(authorities),
    client: client && pair(client),
  });
}

function usableClient({ certificate, key }: ClientPair): ClientPair {
  if (ENCRYPTED.test(key)) throw unusable("the client's private key is encrypted", "client");
  const certificates = usableCertificates(certificate, "client");
  const [block = ""] = KEY.exec(key) ?? [];
  const fault = pairFault(certificates, block);
  if (fault === undefined) return { certificate: certificates, key: block };
  throw unusable(`the client's key cannot be used with its certificate: ${fault}`, "client");
}

function usableCertificates(pem: string, setting: string): string {
  const usable = [...pem.matchAll(CERTIFICATES)].map(([block]) => block).filter(isCertificate);
  if (usable.length > 0) return usable.join("\n");
  throw unusable("a file has no certificate that can be read", setting);
}

function unusable(message: string, setting: string): MisconfiguredError {
  return new MisconfiguredError(
    message,
    `correct the file that is \`${setting}\` in the server's hosts.toml`,
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
