import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A request for a manifest as a recorder saw it. */
export interface Seen {
  readonly server: number;
  readonly url: string;
  /** Those of interest, sorted. */
  readonly headers: readonly string[];
}

/** Certificate and key of a server, PEM; undefined: it speaks plain HTTP. */
export type ServerTls = { readonly cert: string; readonly key: string } | undefined;

/** Servers on loopback that have nothing, and note who is asked for what. */
export class Recorders implements AsyncDisposable {
  readonly #servers: readonly Server[];
  #seen: Seen[] = [];

  private constructor(settings: readonly ServerTls[]) {
    this.#servers = settings.map((tls, server) => {
      const record = this.#record(server);
      return tls === undefined ? createServer(record) : createTlsServer(tls, record);
    });
  }

  static async start(settings: readonly ServerTls[]): Promise<Recorders> {
    const recorders = new Recorders(settings);
    for (const server of recorders.#servers) {
      const listening = Promise.withResolvers<void>();
      server.listen(0, "127.0.0.1", listening.resolve);
      await listening.promise;
    }
    return recorders;
  }

  /** Host and port of a server. */
  host(server: number): string {
    return `127.0.0.1:${(this.#servers[server]?.address() as AddressInfo).port}`;
  }

  /** What is seen while something runs. */
  async during(run: () => Promise<unknown>): Promise<readonly Seen[]> {
    this.#seen = [];
    await run();
    return this.#seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    }));
  }

  #record(server: number): RequestListener {
    return ({ url = "", rawHeaders }, response) => {
      const headers = rawHeaders.flatMap((name, at) =>
        at % 2 === 0 && /^(?:x-.|authorization)$/i.test(name)
          ? [`${name.toLowerCase()}: ${rawHeaders[at + 1]}`]
          : []
      );
      // Only the order of one header's values has a meaning.
      headers.sort((a, b) => a.split(":", 1).join().localeCompare(b.split(":", 1).join()));
      // By digest, containerd asks for a blob where there is no manifest.
      if (url.includes("/manifests/")) this.#seen.push({ server, url, headers });
      response.writeHead(404).end();
    };
  }
}
