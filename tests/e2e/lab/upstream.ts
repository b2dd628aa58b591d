import { splitDigest } from "../../../lib/oci/digest.ts";
import { TokenAuthentication } from "./auth/token_authentication.ts";
import { httpRequest } from "./http_request.ts";
import type { Blob, Image } from "./image.ts";
import { ManagedProcess } from "./managed_process.ts";
import { type Host, onHost } from "./network.ts";
import { until } from "./until.ts";

/** The upstream's name in image references: with a port, which clients treat specially. */
export const UPSTREAM = "registry.test:5000";

/** A request in the upstream's access log. */
export interface UpstreamRequest {
  /** Address of the client. */
  readonly client: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** The distribution project's registry, the origin of all images of the lab. */
export class Upstream implements AsyncDisposable {
  readonly #host: Host;
  readonly #directory: string;
  readonly #authentication: TokenAuthentication | undefined;
  #process: ManagedProcess | undefined;
  #secure: ManagedProcess | undefined;

  /**
   * @param directory for its storage, configuration and log.
   * @param options `authenticated`: a token is needed, which all get for repositories below `open/`.
   */
  constructor(host: Host, directory: string, options: { readonly authenticated?: boolean } = {}) {
    this.#host = host;
    this.#directory = directory;
    this.#authentication = options.authenticated === true
      ? new TokenAuthentication(host, `${directory}/auth`)
      : undefined;
  }

  /** Puts an image into the registry's storage, in the layout that it reads. */
  async add(image: Image, repository: string, tag: string): Promise<void> {
    for (const blob of [...image.manifests, ...image.blobs]) {
      const { hex } = splitDigest(blob.digest);
      await this.#write(`blobs/sha256/${hex.slice(0, 2)}/${hex}/data`, blob.content);
    }
    const base = `repositories/${repository}`;
    for (const blob of image.blobs) await this.#link(`${base}/_layers`, blob);
    for (const blob of image.manifests) await this.#link(`${base}/_manifests/revisions`, blob);
    const tagged = `${base}/_manifests/tags/${tag}`;
    await this.#link(`${tagged}/index`, image.root);
    await this.#write(`${tagged}/current/link`, encode(image.root.digest));
  }

  /** Starts it, if it does not run, and waits until it answers. */
  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    await Deno.mkdir(this.#directory, { recursive: true });
    const config = {
      version: 0.1,
      log: { level: "error", accesslog: { disabled: false } },
      storage: { filesystem: { rootdirectory: `${this.#directory}/storage` } },
      http: { addr: ":5000" },
      ...(this.#authentication === undefined
        ? {}
        : { auth: this.#authentication.configuration(UPSTREAM.replace(/:.*/, "")) }),
    };
    await this.#authentication?.start();
    const file = `${this.#directory}/config.yml`;
    await Deno.writeTextFile(file, JSON.stringify(config));
    this.#process = ManagedProcess.start({
      name: "upstream",
      argv: onHost(this.#host, ["docker-registry", "serve", file]),
      logFile: `${this.#directory}/log`,
    });
    await until(
      async () => {
        const { status } = await httpRequest(this.#host, "http://127.0.0.1:5000/v2/");
        return status === (this.#authentication === undefined ? 200 : 401);
      },
      {
        what: "upstream to answer",
      },
    );
  }

  /**
   * Starts another one at port 5443, with the same images, over TLS.
   *
   * @param tls directory of `tls.crt` and `tls.key`.
   */
  async startSecure(tls: string): Promise<void> {
    const config = {
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: `${this.#directory}/storage` } },
      http: { addr: ":5443", tls: { certificate: `${tls}/tls.crt`, key: `${tls}/tls.key` } },
    };
    const file = `${this.#directory}/secure.yml`;
    await Deno.writeTextFile(file, JSON.stringify(config));
    this.#secure = ManagedProcess.start({
      name: "secure upstream",
      argv: onHost(this.#host, ["docker-registry", "serve", file]),
      logFile: `${this.#directory}/secure.log`,
    });
    // Plain HTTP at a TLS port is answered 400.
    await until(
      async () => (await httpRequest(this.#host, "http://127.0.0.1:5443/v2/")).status === 400,
      { what: "secure upstream to answer" },
    );
  }

  /** Ends it: whoever connects is refused. */
  async stop(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
    await this.#secure?.kill();
    this.#secure = undefined;
    await this.#authentication?.stop();
  }

  /** GET requests of other hosts so far: content that upstream was asked for. */
  async downloads(): Promise<UpstreamRequest[]> {
    return (await this.requests()).filter(({ method }) => method === "GET");
  }

  /** Requests of other hosts so far, from the access log, but for whether it answers at all. */
  async requests(): Promise<UpstreamRequest[]> {
    const log = await Deno.readTextFile(`${this.#directory}/log`).catch(() => "");
    const lines = log.matchAll(/^(\S+) - \S+ \[[^\]]*\] "(\S+) (\S+) [^"]*" (\d+)/gm);
    return [...lines]
      .map(([, client = "", method = "", path = "", status]) => ({
        client: client.replace(/:\d+$/, ""),
        method,
        path,
        status: Number(status),
      }))
      .filter(({ client, path }) => client !== "127.0.0.1" && path !== "/v2/");
  }

  async tail(): Promise<string> {
    return await this.#process?.tail(10) ?? "--- upstream (stopped)";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #link(directory: string, blob: Blob): Promise<void> {
    const { hex } = splitDigest(blob.digest);
    await this.#write(`${directory}/sha256/${hex}/link`, encode(blob.digest));
  }

  async #write(path: string, content: Uint8Array): Promise<void> {
    const file = `${this.#directory}/storage/docker/registry/v2/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(file, content);
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
