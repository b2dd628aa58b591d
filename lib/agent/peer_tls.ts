import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import type { PeerTrust } from "../mirror/http/connect_tls.ts";
import type { Clock } from "../ports/clock.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Log } from "../ports/log.ts";
import { type HttpServer, type HttpServerCollaborators, startHttpServer } from "./http_server.ts";
import { ReloadingFile } from "./reloading_file.ts";
import { type PeerCertificates, readPeerCertificates } from "./tls_files.ts";

/** Time for transfers in progress to end when the certificate changes, ms. */
const DRAIN_MS = 30_000;
/** A certificate that expires within this time is warned of, ms. */
const SOON_MS = 24 * 3_600_000;

type Settings = Pick<Config, "peerTlsDir" | "peerTlsMode" | "peerTlsName" | "peerTlsAddr">;

/** TLS between nodes: the server, and the trust of clients. */
export class PeerTls {
  readonly #settings: Settings;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #current: PeerCertificates;

  private constructor(
    settings: Settings & { readonly peerTlsDir: string },
    current: PeerCertificates,
    { clock, log }: Pick<Runtime, "clock" | "log">,
  ) {
    this.#settings = settings;
    this.#directory = settings.peerTlsDir;
    this.#current = current;
    this.#clock = clock;
    this.#log = log;
    this.#warnOfEnd();
  }

  /**
   * Reads the files; undefined if no directory is configured.
   *
   * @throws {ConfigError} if one is missing or invalid; the message contains nothing of the key.
   */
  static async open(
    { peerTlsDir, ...settings }: Settings,
    collaborators: Pick<Runtime, "clock" | "log">,
  ): Promise<PeerTls | undefined> {
    if (peerTlsDir === undefined) return undefined;
    let current: PeerCertificates;
    try {
      current = await readPeerCertificates(peerTlsDir, settings.peerTlsName);
    } catch (error) {
      throw new ConfigError(
        `--peer-tls-dir: got ${JSON.stringify(peerTlsDir)}, want a directory with tls.crt, ` +
          `tls.key and ca.crt (${messageOf(error)})`,
      );
    }
    return new PeerTls({ ...settings, peerTlsDir }, current, collaborators);
  }

  /** How peers are verified; called for each connection. */
  readonly trust = (): PeerTrust => ({
    authority: this.#current.authority,
    name: this.#settings.peerTlsName,
    port: this.#settings.peerTlsAddr.port,
    optional: !this.required,
  });

  /** Whether peers are answered over TLS only. */
  get required(): boolean {
    return this.#settings.peerTlsMode === "require";
  }

  /**
   * Serves peers, and switches to a new certificate when the files change.
   *
   * @throws {ListenError} if the address is in use.
   */
  serve(
    collaborators: Pick<HttpServerCollaborators, "fetch" | "connections">,
  ): Pick<HttpServer, "deaf" | "shutdown"> {
    const start = ({ cert, key }: PeerCertificates) =>
      startHttpServer(
        { ...collaborators, log: this.#log, tls: { cert, key } },
        this.#settings.peerTlsAddr,
      );
    let server = start(this.#current);
    const stop = this.#follow((next) => {
      const before = server;
      server = start(next);
      // Does not reject. Its transfers in progress continue beside the new server.
      void before.shutdown(DRAIN_MS);
    });
    return {
      deaf: () => server.deaf(),
      shutdown: async (drainTimeoutMs) => {
        await stop();
        await server.shutdown(drainTimeoutMs);
      },
    };
  }

  /** @returns a function that stops it. */
  #follow(onChange: (next: PeerCertificates) => void): () => Promise<void> {
    const log = this.#log;
    const files = new ReloadingFile(this.#clock, {
      read: () => this.#reread(onChange),
      onProblem: (reason) =>
        log.warn("certificates for peers cannot be used, the last ones stay in force", {
          directory: this.#directory,
          reason,
        }),
    });
    return files.follow((error) => log.error("certificates are no longer reread", { error }));
  }

  async #reread(onChange: (next: PeerCertificates) => void): Promise<void> {
    const next = await readPeerCertificates(this.#directory, this.#settings.peerTlsName);
    const { cert, key, authority } = this.#current;
    const same = next.cert === cert && next.key === key;
    if (same && next.authority === authority) return;
    if (!same) onChange(next);
    this.#current = next;
    this.#log.info("there are other certificates for peers", {
      expires: new Date(next.expires).toISOString(),
    });
    this.#warnOfEnd();
  }

  #warnOfEnd(): void {
    const { expires } = this.#current;
    if (expires - Date.now() > SOON_MS) return;
    this.#log.warn("the certificate for peers expires soon, or has expired: peers reject it then", {
      directory: this.#directory,
      expires: new Date(expires).toISOString(),
    });
  }
}
