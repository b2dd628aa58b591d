import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { messageOf } from "../async/thrown.ts";
import { fileStamp } from "../files/file_stamp.ts";
import { ifPresent } from "../files/if_present.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import { createHttpClient } from "../net/http_client.ts";
import type { Runtime } from "../ports/runtime.ts";
import { REREAD_MS } from "./reloading_file.ts";

/** Value of the flag for the machine's own files, as `system` or `system:ROOT`. */
const SYSTEM = /^system(?::(.*))?$/;
/**
 * Where distributions keep the authorities that a machine trusts. Files: crypto/x509/root_linux.go
 * of Go, by which containerd finds them. Directories: what was added on Red Hat's and SUSE's
 * systems, whose bundles may be links that lead out of a mount.
 */
const SYSTEM_PATHS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/ssl/cert.pem",
  "/etc/pki/ca-trust/source/anchors",
  "/etc/pki/trust/anchors",
];
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_FILES = 256;
const MAX_CERTIFICATES = 512;
/** No connection is made to it. */
const ANY_URL = new URL("https://localhost/");
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Collaborators of {@link TrustedAuthorities}. */
export type TrustedAuthoritiesCollaborators = Pick<Runtime, "clock" | "log">;

/**
 * The certificate authorities that are trusted besides those that the runtime brings along, from
 * files that are read again when they change: registries of companies are often signed by an
 * authority that only the node knows.
 */
export class TrustedAuthorities {
  readonly #with: TrustedAuthoritiesCollaborators;
  readonly #paths: readonly string[];
  readonly #reported = new Set<string>();
  #certificates: readonly string[] = [];
  #stamps = "";
  #readAt = -Infinity;
  #reading: Promise<void> | undefined;

  /** @param paths of `--upstream-ca`: files, directories, `system` or `system:ROOT`. */
  constructor(paths: readonly string[], collaborators: TrustedAuthoritiesCollaborators) {
    this.#with = collaborators;
    this.#paths = paths;
  }

  /** The certificates, PEM, one each; the same array until they change. Does not reject. */
  async current(): Promise<readonly string[]> {
    const now = this.#with.clock.now();
    if (now - this.#readAt >= REREAD_MS) {
      this.#readAt = now;
      this.#reading = this.#read().catch((error) => {
        this.#with.log.warn("certificate authorities could not be read", { error });
      });
    }
    await this.#reading;
    return this.#certificates;
  }

  async #read(): Promise<void> {
    const files = (await Promise.all(this.#paths.map((path) => this.#filesOf(path)))).flat();
    const stamps = await Promise.all(files.map((file) => fileStamp(file).catch(() => "none")));
    const stamp = JSON.stringify([files, stamps]);
    if (stamp === this.#stamps) return;
    this.#stamps = stamp;
    const known = new Set(rootCertificates.map(bodyOf));
    const certificates: string[] = [];
    for (const file of files) {
      for (const certificate of await this.#certificatesOf(file)) {
        const body = bodyOf(certificate);
        if (known.has(body) || certificates.length >= MAX_CERTIFICATES) continue;
        known.add(body);
        if (isUsable(certificate)) certificates.push(certificate);
        else this.#report(file, "has a certificate that is not valid");
      }
    }
    this.#certificates = certificates;
    this.#with.log.info("certificate authorities of upstream registries were read", {
      files: files.length,
      certificates: certificates.length,
    });
  }

  /** Of the machine's files those that there are. */
  async #filesOf(path: string): Promise<string[]> {
    const [, root = ""] = SYSTEM.exec(path) ?? [];
    if (!SYSTEM.test(path)) return await this.#expand(path, true);
    const paths = SYSTEM_PATHS.map((each) => `${root.replace(/\/+$/, "")}${each}`);
    return (await Promise.all(paths.map((each) => this.#expand(each, false)))).flat();
  }

  /** A file; for a directory its files. */
  async #expand(path: string, isNamed: boolean): Promise<string[]> {
    try {
      if (!(await Deno.stat(path)).isDirectory) return [path];
      const entries = await Array.fromAsync(Deno.readDir(path));
      const names = entries.filter(({ isDirectory, name }) => !isDirectory && !name.startsWith("."))
        .map(({ name }) => name).sort();
      return names.slice(0, MAX_FILES).map((name) => join(path, name));
    } catch (error) {
      if (isNamed) this.#report(path, messageOf(error));
      return [];
    }
  }

  async #certificatesOf(file: string): Promise<readonly string[]> {
    try {
      return (await ifPresent(readSmallFile(file, MAX_FILE_BYTES)))?.match(CERTIFICATE) ?? [];
    } catch (error) {
      this.#report(file, messageOf(error));
      return [];
    }
  }

  #report(path: string, reason: string): void {
    const key = `${path} ${reason}`;
    if (this.#reported.has(key) || this.#reported.size >= MAX_FILES) return;
    this.#reported.add(key);
    this.#with.log.warn("--upstream-ca: certificates are left out", { path, reason });
  }
}

function bodyOf(certificate: string): string {
  return certificate.replace(/-----[^-]+-----|\s/g, "");
}

/** One that TLS does not take would fail every connection. */
function isUsable(certificate: string): boolean {
  try {
    createHttpClient(ANY_URL, undefined, { caCerts: [certificate] }).close();
    return true;
  } catch {
    return false;
  }
}
