import { runCommand } from "../../e2e/lab/run_command.ts";

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

/** Directories with `ca.crt`, `tls.crt` and `tls.key`, for a server and for its clients. */
export interface Certificates {
  readonly server: string;
  readonly client: string;
}

/** Makes an authority, a server's certificate for these names, and a client's. */
export async function makeCertificates(
  directory: string,
  names: readonly string[],
): Promise<Certificates> {
  const openssl = (...args: string[]) => runCommand(["openssl", ...args], { cwd: directory });
  await Deno.mkdir(directory, { recursive: true });
  await openssl(...["req", "-x509", ...KEY, "-subj", "/CN=authority"], ...pair("authority"));
  const extensions = {
    server: `subjectAltName=${names.map((name) => `DNS:${name}`).join()}`,
    client: "extendedKeyUsage=clientAuth",
  };
  for (const [role, extension] of Object.entries(extensions)) {
    const own = `${directory}/${role}`;
    await Deno.mkdir(own, { recursive: true });
    await openssl(
      ...["req", "-x509", ...KEY, "-subj", `/CN=${role}`, "-addext", extension],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-CA", "authority.crt", "-CAkey", "authority.key"],
      ...["-keyout", `${own}/tls.key`, "-out", `${own}/tls.crt`],
    );
    await Deno.copyFile(`${directory}/authority.crt`, `${own}/ca.crt`);
  }
  return { server: `${directory}/server`, client: `${directory}/client` };
}

function pair(name: string): string[] {
  return ["-keyout", `${name}.key`, "-out", `${name}.crt`];
}
