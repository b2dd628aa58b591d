import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_MANIFEST, OCTET_STREAM } from "../../lib/oci/media_type.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { eddyCommand } from "../e2e/lab/eddy_command.ts";
import { ManagedProcess } from "../e2e/lab/managed_process.ts";
import { until } from "../e2e/lab/until.ts";
import { freePorts } from "../support/free_ports.ts";

/** Marks requests as another node's. */
export const PEER = { "x-spegel-mirrored": "true" };

/** An agent as a process on loopback, whose store is a directory. */
export class LayoutNode implements AsyncDisposable {
  readonly directory: string;
  readonly writer: OciLayoutWriter;
  readonly #flags: readonly string[];
  readonly #ports: readonly number[];
  #process: ManagedProcess | undefined;

  private constructor(directory: string, ports: readonly number[], flags: readonly string[]) {
    this.directory = directory;
    this.writer = new OciLayoutWriter(`${directory}/layout`);
    this.#ports = ports;
    this.#flags = flags;
  }

  /** Makes it, but does not start it. */
  static async make(flags: readonly string[]): Promise<LayoutNode> {
    const directory = await Deno.makeTempDir({ prefix: "eddy-hostile-" });
    const node = new LayoutNode(directory, await freePorts(3), flags);
    await node.writer.init();
    return node;
  }

  /** Port of its registry. */
  get port(): number {
    return this.#ports[0] ?? 0;
  }

  async start(): Promise<void> {
    const [registry, router, metrics] = this.#ports;
    const process = ManagedProcess.start({
      name: "agent",
      argv: [
        ...[...eddyCommand(), "agent", "--store", `oci-layout:${this.directory}/layout`],
        ...["--registry-addr", `127.0.0.1:${registry}`, "--router-addr", `127.0.0.1:${router}`],
        ...["--metrics-addr", `127.0.0.1:${metrics}`, "--data-dir", `${this.directory}/data`],
        ...["--bootstrap-kind", "static", "--static-bootstrap-peers", `127.0.0.1:${router}`],
        ...["--registries-file", "none", "--log-level", "debug", ...this.#flags],
      ],
      logFile: `${this.directory}/log`,
    });
    this.#process = process;
    await until(async () => {
      const response = await fetch(`http://127.0.0.1:${metrics}/readyz`).catch(() => undefined);
      await response?.body?.cancel();
      return response?.status === 200;
    }, { what: "the agent to be ready" });
  }

  /** Memory of its process, MiB. */
  async rssMib(): Promise<number> {
    return await this.#process?.rssMib() ?? 0;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** Asks for `REPOSITORY/manifests/…` or `…/blobs/…` of a registry; gives the status. */
  async ask(
    target: string,
    registry: string,
    headers: Record<string, string> = {},
  ): Promise<number> {
    const url = `http://127.0.0.1:${this.#ports[0]}/v2/${target}?ns=${registry}`;
    const response = await fetch(url, { headers });
    await response.body?.cancel();
    return response.status;
  }

  /** Waits until so many digests are known to be held. */
  async untilHeld(digests: number): Promise<void> {
    await until(async () => {
      const response = await fetch(`http://127.0.0.1:${this.#ports[2]}/metrics`);
      const [, count] = /^eddy_advertised_digests (\d+)$/m.exec(await response.text()) ?? [];
      return Number(count) >= digests;
    }, { what: `${digests} digests to be advertised` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Content with its digest. */
export interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: Digest;
}

export function contentOf(source: string | Uint8Array<ArrayBuffer>): Content {
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  return { bytes, digest: digestOf(bytes) };
}

/** A manifest that names these layers, and its configuration. */
export function manifestOf(layers: readonly Digest[], seed: string) {
  const config = contentOf(JSON.stringify({ architecture: "amd64", os: "linux", seed }));
  const manifest = contentOf(JSON.stringify({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST },
    config: { mediaType: OCI_CONFIG, digest: config.digest, size: config.bytes.length },
    layers: layers.map((digest) => ({ mediaType: OCTET_STREAM, digest, size: 1 })),
  }));
  return { config, manifest };
}

/** A registry on loopback: `public/…` is anybody's, all else needs credentials that nobody has. */
export class PlainOrigin implements AsyncDisposable {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** What is in public repositories, by digest or tag. */
  readonly public = new Map<string, Content>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #answer({ url, method }: Request): Response {
    const { pathname } = new URL(url);
    this.asked.push(pathname);
    if (!pathname.startsWith("/v2/public/")) {
      const headers = { "www-authenticate": 'Basic realm="origin"' };
      return Response.json({ errors: [] }, { status: 401, headers });
    }
    const found = this.public.get(pathname.slice(pathname.lastIndexOf("/") + 1));
    if (found === undefined) return Response.json({ errors: [] }, { status: 404 });
    return new Response(method === "HEAD" ? null : found.bytes, {
      headers: {
        "content-length": String(found.bytes.length),
        "content-type": OCI_MANIFEST,
        "docker-content-digest": found.digest,
      },
    });
  }
}
