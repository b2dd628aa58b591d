import assert from "node:assert/strict";
import { isIP } from "node:net";
import { join } from "node:path";

const KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(" ");

/** What a machine lacks to make certificates, for `testWith`. */
export async function missingOpenssl(): Promise<string[]> {
  try {
    await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output();
    return [];
  } catch {
    return ["openssl"];
  }
}

/** An authority of a test: its certificate and key are files of this directory. */
export class Authority {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Certificate, as PEM. */
  certificate(): Promise<string> {
    return Deno.readTextFile(join(this.directory, "ca.crt"));
  }

  /** Makes one in a directory, which is made too. */
  static async make(directory: string): Promise<Authority> {
    await Deno.mkdir(directory, { recursive: true });
    await openssl(
      ...["req", "-x509", ...KEY, "-subj", "/CN=authority"],
      ...["-keyout", join(directory, "ca.key"), "-out", join(directory, "ca.crt")],
    );
    return new Authority(directory);
  }

  /** Puts `tls.crt`, `tls.key` and `ca.crt` for this name or address into a directory, which is made too. */
  async issue(directory: string, name: string): Promise<void> {
    const names = isIP(name) === 0 ? `DNS:${name}` : `IP:${name}`;
    await Deno.mkdir(directory, { recursive: true });
    const [crt, key] = [join(this.directory, "ca.crt"), join(this.directory, "ca.key")];
    await openssl(
      ...["req", "-x509", ...KEY, "-subj", "/CN=node", "-addext", `subjectAltName=${names}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-CA", crt, "-CAkey", key],
      ...["-keyout", join(directory, "tls.key"), "-out", join(directory, "tls.crt")],
    );
    await Deno.copyFile(crt, join(directory, "ca.crt"));
  }
}

/** Puts a certificate that signs itself, and may sign others, as `tls.crt` and `tls.key`. */
export async function selfSigned(directory: string, names: string): Promise<void> {
  await openssl(
    ...["req", "-x509", ...KEY, "-subj", "/CN=self", "-addext", `subjectAltName=${names}`],
    ...["-keyout", join(directory, "tls.key"), "-out", join(directory, "tls.crt")],
  );
}

/** Puts a certificate of version 1, as OpenSSL makes them without extensions, as `v1.crt`. */
export async function versionOne(directory: string): Promise<void> {
  await openssl(
    ...["req", "-new", "-key", join(directory, "tls.key"), "-subj", "/CN=old"],
    ...["-out", join(directory, "v1.csr")],
  );
  await openssl(
    ...["x509", "-req", "-in", join(directory, "v1.csr"), "-days", "2"],
    ...["-key", join(directory, "tls.key"), "-out", join(directory, "v1.crt")],
  );
}

async function openssl(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
