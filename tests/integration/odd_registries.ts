import { gzipSync } from "node:zlib";
import { digestOf } from "../../lib/oci/digest.ts";
import { tinyImage } from "./registry_recorder.ts";

/** How a registry answers, and what comes of it. */
export interface OddRegistry {
  readonly name: string;
  /** Answers before the registry itself does; undefined: leaves it to that. */
  readonly answer?: (request: Request, url: URL) => Response | undefined;
  /** Changes what the registry itself answers. */
  readonly change?: (response: Response, request: Request) => Response | Promise<Response>;
  /** Whether anybody may pull from it with containerd. */
  readonly pulls: boolean;
  /** Eddy's answer to an anonymous question, with the reason if there is none. */
  readonly eddy: string;
}

/** The image of a registry; no two have the same content, as containerd would not ask for it again. */
export const imageOf = ({ name }: OddRegistry) => tinyImage("team/app", name);

/** Stands for the digest of the manifest in a header. */
export const DIGEST = "<digest>";

const isManifest = (url: URL) => url.pathname.includes("/manifests/");

/** Answers every question for a manifest. */
const manifests = (
  name: string,
  answer: () => Response,
  eddy: string,
  pulls = false,
): OddRegistry => ({
  name,
  answer: (_, url) => isManifest(url) ? answer() : undefined,
  pulls,
  eddy,
});

const status = (code: number, eddy: string, headers: Record<string, string> = {}) =>
  manifests(`status ${code}${Object.values(headers)}`, () => {
    return new Response(null, { status: code, headers });
  }, eddy);

/** Replaces headers of manifests; an empty value removes one. */
const headers = (
  name: string,
  fields: Record<string, string>,
  { pulls = true, eddy = "found" } = {},
): OddRegistry => ({
  name,
  pulls,
  eddy,
  change: (response) => {
    if (!response.headers.get("content-type")?.includes("json")) return response;
    const changed = new Headers(response.headers);
    for (const [field, value] of Object.entries(fields)) {
      if (value === "") changed.delete(field);
      else changed.set(field, value);
    }
    return new Response(response.body, { status: response.status, headers: changed });
  },
});

/** A registry that wants a token, which its token server gives to anybody. */
const bearer = (
  name: string,
  token: (request: Request) => Response | Promise<Response>,
  { pulls = true, eddy = "found", challenge = CHALLENGE } = {},
): OddRegistry => ({
  name: `token: ${name}`,
  pulls,
  eddy,
  answer: (request, url) => {
    if (url.pathname === "/token") return token(request) as Response;
    if (request.headers.has("authorization")) return undefined;
    const fields = new Headers();
    for (const value of challenge(url.host)) fields.append("www-authenticate", value);
    return new Response(null, { status: 401, headers: fields });
  },
});

const CHALLENGE = (host: string) => [`Bearer realm="http://${host}/token",service="s"`];
const BASIC = { "www-authenticate": 'Basic realm="x"' };
const DIGEST_HEADER = "docker-content-digest";
const redirect = (location: string, code = 307) =>
  new Response(null, { status: code, headers: { location } });
const page = (fields: Record<string, string> = {}) => () =>
  new Response("<html>login</html>", { headers: { "content-type": "text/html", ...fields } });

export const ODD_REGISTRIES: readonly OddRegistry[] = [
  { name: "an ordinary one", pulls: true, eddy: "found" },
  headers("no digest", { [DIGEST_HEADER]: "" }),
  headers("a digest in capitals", { [DIGEST_HEADER]: DIGEST.toUpperCase() }, { pulls: false }),
  headers("another digest", { [DIGEST_HEADER]: digestOf("other") }, { pulls: false }),
  headers("a media type with a parameter", {
    "content-type": "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
  }),
  headers("no media type", { "content-type": "" }, { pulls: false }),
  headers("text/plain", { "content-type": "text/plain" }, { pulls: false }),
  headers("application/json", { "content-type": "application/json" }, { pulls: false }),
  {
    name: "no HEAD",
    pulls: true,
    eddy: "found",
    answer: ({ method }) => method === "HEAD" ? new Response(null, { status: 405 }) : undefined,
  },
  {
    name: "a compressed body, unasked",
    pulls: true,
    eddy: "found",
    change: async (response, { method }) => {
      const fields = new Headers(response.headers);
      fields.delete(DIGEST_HEADER);
      fields.delete("content-length");
      fields.set("content-encoding", "gzip");
      const body = new Uint8Array(gzipSync(new Uint8Array(await response.arrayBuffer())));
      return new Response(method === "HEAD" ? null : body, { headers: fields });
    },
  },
  {
    name: "a redirect to another path",
    pulls: true,
    eddy: "found",
    answer: (_, url) => {
      if (!isManifest(url) || url.searchParams.has("x")) return undefined;
      return redirect(`${url.pathname}?x=1`);
    },
  },
  manifests("a redirect to itself", () => redirect("?"), "unavailable misconfigured"),
  manifests("a page", page(), "unavailable misconfigured"),
  manifests("a page with a digest", page({ [DIGEST_HEADER]: DIGEST }), "unavailable misconfigured"),
  manifests(
    "an error with status 200",
    () => Response.json({ errors: [] }),
    "unavailable misconfigured",
  ),
  status(204, "unavailable misconfigured"),
  status(304, "unavailable misconfigured"),
  status(400, "unavailable misconfigured"),
  status(401, "denied"),
  status(401, "denied", BASIC),
  status(401, "denied", { "www-authenticate": "Negotiate" }),
  status(402, "unavailable misconfigured"),
  status(403, "denied"),
  status(404, "missing"),
  status(405, "unavailable misconfigured"),
  status(406, "unavailable misconfigured"),
  status(407, "unavailable misconfigured"),
  status(410, "unavailable misconfigured"),
  status(429, "unavailable limited"),
  status(451, "unavailable misconfigured"),
  status(500, "unavailable broken"),
  status(502, "unavailable broken"),
  status(503, "unavailable broken"),
  bearer("an ordinary one", () => Response.json({ token: "t" })),
  bearer("access_token", () => Response.json({ access_token: "t", expires_in: 300 })),
  bearer(
    "fields that are null",
    () => Response.json({ token: null, access_token: "t", expires_in: null, refresh_token: null }),
  ),
  bearer("status 201", () => Response.json({ token: "t" }, { status: 201 })),
  bearer("a time of life as text", () => Response.json({ token: "t", expires_in: "300" }), {
    pulls: false,
    eddy: "unavailable misconfigured",
  }),
  bearer(
    "another path",
    (request) =>
      new URL(request.url).searchParams.has("x")
        ? Response.json({ token: "t" })
        : redirect(`/token?x=1`),
  ),
  bearer("in lower case", () => Response.json({ token: "t" }), {
    challenge: (host) => [`bearer realm="http://${host}/token"`],
  }),
  bearer("behind Basic in one field", () => Response.json({ token: "t" }), {
    challenge: (host) => [`Basic realm="x", ${CHALLENGE(host)}`],
    pulls: false,
  }),
  bearer("with a query", () => Response.json({ token: "t" }), {
    challenge: (host) => [`Bearer realm="http://${host}/token?a=b", service=s`],
  }),
  bearer("without a realm", () => Response.json({ token: "t" }), {
    challenge: () => ["Bearer"],
    ...{ pulls: false, eddy: "denied" },
  }),
  bearer("at no URL", () => Response.json({ token: "t" }), {
    challenge: () => ['Bearer realm="/token"'],
    ...{ pulls: false, eddy: "unavailable misconfigured" },
  }),
  bearer("a page", () => page()(), { pulls: false, eddy: "unavailable misconfigured" }),
  bearer("no token", () => Response.json({}), { pulls: false, eddy: "unavailable misconfigured" }),
  ...[400, 401, 403, 404].map((code) =>
    bearer(`status ${code}`, () => new Response(null, { status: code }), {
      ...{ pulls: false, eddy: "denied" },
    })
  ),
  bearer("status 429", () => new Response(null, { status: 429 }), {
    ...{ pulls: false, eddy: "unavailable limited" },
  }),
  bearer("status 500", () => new Response(null, { status: 500 }), {
    ...{ pulls: false, eddy: "unavailable broken" },
  }),
];
