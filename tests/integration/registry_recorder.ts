import { digestOf } from "../../lib/oci/digest.ts";

/** A request as it arrived somewhere. */
export interface RecordedRequest {
  /** Who got it. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly ns: string | null;
  readonly headers: Headers;
}

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A tiny image, different for each seed: its contents by the paths that they are served at. */
export function tinyImage(repository: string, seed: string) {
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    seed,
    rootfs: { type: "layers" },
  });
  const layer = `layer of ${seed}`;
  const descriptor = (content: string, mediaType: string) => ({
    mediaType,
    digest: digestOf(content),
    size: content.length,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(config, "application/vnd.oci.image.config.v1+json"),
    layers: [descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
  });
  const base = `/v2/${repository}`;
  return {
    tagPath: `${base}/manifests/1`,
    layerPath: `${base}/blobs/${digestOf(layer)}`,
    contents: new Map([
      [`${base}/manifests/1`, manifest],
      [`${base}/manifests/${digestOf(manifest)}`, manifest],
      [`${base}/blobs/${digestOf(config)}`, config],
      [`${base}/blobs/${digestOf(layer)}`, layer],
    ]),
  };
}

/** Answers a request. */
export type RecorderHandler = (request: Request) => Response | Promise<Response>;

/** A registry on loopback that writes each request into a shared list; use with `await using`. */
export class RegistryRecorder {
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /**
   * Without contents it answers everything with 404. `tls`: certificate and key in PEM. `wrap` gets
   * what answers, and returns what answers instead.
   */
  constructor(
    name: string,
    requests: RecordedRequest[],
    contents: ReadonlyMap<string, string> = new Map(),
    tls?: { readonly cert: string; readonly key: string },
    wrap: (handle: RecorderHandler) => RecorderHandler = (handle) => handle,
  ) {
    const handler = wrap(({ method, url, headers }) => {
      const { pathname, searchParams } = new URL(url);
      requests.push({ at: name, method, path: pathname, ns: searchParams.get("ns"), headers });
      return answer(method, contents.get(pathname));
    });
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = tls === undefined
      ? Deno.serve(options, handler)
      : Deno.serve({ ...options, ...tls }, handler);
    this.url = `${tls === undefined ? "http" : "https"}://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Host and port. */
  get host(): string {
    return new URL(this.url).host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function answer(method: string, content: string | undefined): Response {
  if (content === undefined) return new Response(null, { status: 404 });
  const headers = {
    "content-type": content.includes("schemaVersion") ? MANIFEST_TYPE : "application/octet-stream",
    "content-length": String(content.length),
    "docker-content-digest": digestOf(content),
  };
  return new Response(method === "HEAD" ? null : content, { headers });
}
