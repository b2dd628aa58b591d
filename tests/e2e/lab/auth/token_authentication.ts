import { httpRequest } from "../http_request.ts";
import { ManagedProcess } from "../managed_process.ts";
import { type Host, onHost } from "../network.ts";
import { runCommand } from "../run_command.ts";
import { until } from "../until.ts";

/** Whom the lab's token server lets into everything. */
export const USER = { username: "puller", password: "correct-horse-battery" };
const PORT = 5002;
const ISSUER = "lab";

/** Token authentication for the lab's registry: repositories below `open/` are anybody's. */
export class TokenAuthentication implements AsyncDisposable {
  readonly #host: Host;
  readonly #directory: string;
  #server: ManagedProcess | undefined;

  /** @param directory for its key, certificate and log. */
  constructor(host: Host, directory: string) {
    this.#host = host;
    this.#directory = directory;
  }

  /** The `auth` section of the registry's configuration. */
  configuration(registry: string): unknown {
    return {
      token: {
        realm: `http://${registry}:${PORT}/token`,
        service: "lab-registry",
        issuer: ISSUER,
        rootcertbundle: this.#certificate,
      },
    };
  }

  /** Starts the token server and waits until it answers. */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    await Deno.mkdir(this.#directory, { recursive: true });
    const keyFile = `${this.#directory}/key.pem`;
    await runCommand([
      ...["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab"],
      ...["-days", "2", "-keyout", keyFile, "-out", this.#certificate],
    ]);
    const program = new URL("token_server.ts", import.meta.url).pathname;
    const { username, password } = USER;
    const args = [String(PORT), keyFile, this.#certificate, ISSUER, username, password];
    this.#server = ManagedProcess.start({
      name: "token server",
      argv: onHost(this.#host, [Deno.execPath(), "run", "-A", "--no-check", program, ...args]),
      logFile: `${this.#directory}/log`,
    });
    const url = `http://127.0.0.1:${PORT}/token`;
    await until(async () => (await httpRequest(this.#host, url)).status === 200, {
      what: "the token server to answer",
    });
  }

  async stop(): Promise<void> {
    await this.#server?.kill();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #certificate(): string {
    return `${this.#directory}/certificate.pem`;
  }
}
