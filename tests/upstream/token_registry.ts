import { digestOf } from "../../lib/oci/digest.ts";

/** How {@link TokenRegistry} answers. */
export interface TokenRegistryOptions {
  /** Repositories that anyone may pull from. */
  readonly open?: readonly string[];
  /** Repositories for which credentials `user:secret` are needed. */
  readonly closed?: readonly string[];
  /** Way of authentication; default `bearer`. */
  readonly scheme?: "bearer" | "basic";
  /** Realm instead of the own token endpoint. */
  readonly realm?: string;
  /** False: manifests come without their digest header. */
  readonly digestHeader?: boolean;
  /** Lifetime of tokens, s; default 300. */
  readonly expiresIn?: number;
}

/** The manifest that every tag of every repository points to. */
export const MANIFEST = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}';
export const MANIFEST_DIGEST = digestOf(MANIFEST);
export const IDENTITY = { username: "", password: "", identityToken: "refresh-me" };
export const USER = { username: "user", password: "secret" };
const AUTHORIZATION = `Basic ${btoa("user:secret")}`;

/** A registry on loopback with token authentication, as the distribution project specifies it. */
export class TokenRegistry implements AsyncDisposable {
  /** `METHOD /path` of each request, in order, `token` for the token endpoint. */
  readonly requests: string[] = [];
  /** Answers instead of the registry, while set. */
  fault: ((request: Request) => Response | Promise<Response>) | undefined;
  readonly #options: TokenRegistryOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #tokens = new Map<string, string>();

  constructor(options: TokenRegistryOptions) {
    this.#options = options;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#serve(request),
    );
  }

  /** As in a reference, `127.0.0.1:PORT`. */
  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** Tokens that were given stop being good. */
  revoke(): void {
    this.#tokens.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const isToken = url.pathname === "/token";
    this.requests.push(isToken ? "token" : `${request.method} ${url.pathname}`);
    if (this.fault !== undefined) return await this.fault(request);
    return await this.serve(request);
  }

  /** Answers as a registry does. */
  async serve(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const isToken = url.pathname === "/token";
    if (isToken && request.method === "POST") return this.#refresh(await request.formData());
    if (isToken) return this.#token(url, request.headers.get("authorization"));
    const repository = /^\/v2\/(.+)\/manifests\//.exec(url.pathname)?.[1] ?? "";
    if (!this.#mayPull(repository, request.headers.get("authorization"))) return this.#challenge();
    const { open = [], closed = [], digestHeader = true } = this.#options;
    if (![...open, ...closed].includes(repository) || url.pathname.endsWith("/absent")) {
      return Response.json({ errors: [] }, { status: 404 });
    }
    return new Response(request.method === "HEAD" ? null : MANIFEST, {
      headers: {
        "content-type": "application/vnd.oci.image.index.v1+json",
        ...(digestHeader ? { "docker-content-digest": MANIFEST_DIGEST } : {}),
      },
    });
  }

  #mayPull(repository: string, authorization: string | null): boolean {
    const { open = [], closed = [], scheme = "bearer" } = this.#options;
    if (scheme === "basic") {
      return open.includes(repository) ||
        (closed.includes(repository) && authorization === AUTHORIZATION);
    }
    const token = authorization?.replace(/^Bearer /, "") ?? "";
    return this.#tokens.get(token) === `repository:${repository}:pull`;
  }

  #token(url: URL, authorization: string | null): Response {
    if (authorization !== null && authorization !== AUTHORIZATION) {
      return Response.json({ errors: [] }, { status: 401 });
    }
    const scope = url.searchParams.get("scope") ?? "";
    const repository = scope.split(":")[1] ?? "";
    const token = crypto.randomUUID();
    const { open = [], expiresIn = 300 } = this.#options;
    // As real ones do: anyone gets a token, which is not good for more than they may.
    if (authorization !== null || open.includes(repository)) this.#tokens.set(token, scope);
    return Response.json({ token, expires_in: expiresIn });
  }

  /** OAuth 2 part of the specification. */
  #refresh(form: FormData): Response {
    const good = form.get("grant_type") === "refresh_token" && form.get("client_id") !== null &&
      form.get("service") === "test" && form.get("refresh_token") === IDENTITY.identityToken;
    if (!good) return Response.json({ error: "invalid_grant" }, { status: 400 });
    const token = crypto.randomUUID();
    this.#tokens.set(token, String(form.get("scope")));
    return Response.json({ access_token: token, expires_in: this.#options.expiresIn ?? 300 });
  }

  #challenge(): Response {
    const { scheme = "bearer", realm = `http://${this.host}/token` } = this.#options;
    const challenge = scheme === "basic"
      ? 'Basic realm="test"'
      : `Bearer realm="${realm}",service="test",scope="repository:asked:pull,push"`;
    return Response.json({ errors: [] }, {
      status: 401,
      headers: { "www-authenticate": challenge },
    });
  }
}
