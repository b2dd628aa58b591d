import { type Digest, isDigest, parseDigest } from "./digest.ts";
import { OciError } from "./error.ts";
import { splitName } from "./path.ts";
import { isTag, type Reference } from "./reference.ts";

/** The target of a request for a list (distribution specification, end-8 and end-12). */
export interface Listing {
  readonly kind: "tags" | "referrers";
  /** The repository; for referrers with the digest of the subject. */
  readonly reference: Reference;
  /** The repository as the client wrote it. */
  readonly name: string;
  /** The registry as the client wrote it in the query. */
  readonly ns: string | undefined;
  /** The most entries that are wanted; undefined: as many as fit. */
  readonly n: number | undefined;
  /** Only what comes after this tag or digest is wanted. */
  readonly last: string | undefined;
  /** Only referrers of these types are wanted; none: of all. */
  readonly artifactTypes: readonly string[];
}

/** Reads the query of a request: all values of a parameter. */
export type QueryReader = (name: string) => readonly string[];

/** The most digits of `n`. */
const MAX_DIGITS = 9;
/** The longest entry: a digest by sha512. */
const MAX_LAST = 160;
/** The most types that are compared, and the longest (RFC 6838, section 4.2, has 127 for each part). */
const MAX_TYPES = 16;
const MAX_TYPE = 255;

/**
 * Parses the path of a request for a list: `/v2/<name>/tags/list` or
 * `/v2/<name>/referrers/<digest>`. The registry is found as in `parseDistributionPath`.
 *
 * @param pathname percent-decoded path of the request.
 * @returns undefined if it is neither of the two.
 * @throws {OciError} NAME_INVALID, DIGEST_INVALID or UNSUPPORTED (400) for malformed values.
 */
export function parseListing(pathname: string, query: QueryReader): Listing | undefined {
  const match = /^\/v2\/(.+)\/(?:tags\/list|referrers\/([^/]+))$/.exec(pathname);
  if (match === null) return undefined;
  const [name = "", subject] = match.slice(1);
  const [n] = query("n");
  const [last] = query("last");
  if (n !== undefined && (!/^\d+$/.test(n) || n.length > MAX_DIGITS)) {
    throw unusable("n", n, "a number of entries");
  }
  if (last !== undefined && last.length > MAX_LAST) throw unusable("last", last, "an entry");
  const artifactTypes = subject === undefined ? [] : query("artifactType").filter(Boolean);
  if (artifactTypes.length > MAX_TYPES || artifactTypes.some(({ length }) => length > MAX_TYPE)) {
    throw unusable("artifactType", artifactTypes.join(), `at most ${MAX_TYPES} media types`);
  }
  // Peers send an empty `ns` when they do not know the registry.
  const ns = query("ns")[0] || undefined;
  return {
    kind: subject === undefined ? "tags" : "referrers",
    reference: {
      ...splitName(name, ns),
      ...(subject === undefined ? {} : { digest: parseDigest(subject) }),
    },
    name,
    ns,
    n: n === undefined ? undefined : Number(n),
    last,
    artifactTypes,
  };
}

/** Path and query by which a peer is asked for entries after `last`, at most `n`. */
export function formatListing(
  { kind, reference: { registry, repository, digest } }: Pick<Listing, "kind" | "reference">,
  { n, last }: Pick<Listing, "n" | "last">,
): string {
  const query = new URLSearchParams(registry === "" ? {} : { ns: registry });
  if (n !== undefined) query.set("n", String(n));
  if (last !== undefined) query.set("last", last);
  const what = kind === "tags" ? "tags/list" : `referrers/${digest}`;
  return `/v2/${repository}/${what}?${query}`;
}

/** The `Link` header to what comes after an entry (RFC 8288), for a client to follow as it asked. */
export function nextLink(
  { kind, name, ns, n, artifactTypes, reference: { digest } }: Listing,
  last: string,
): string {
  const query = new URLSearchParams(ns === undefined ? {} : { ns });
  if (n !== undefined) query.set("n", String(n));
  query.set("last", last);
  for (const type of artifactTypes) query.append("artifactType", type);
  const what = kind === "tags" ? "tags/list" : `referrers/${digest}`;
  return `</v2/${name}/${what}?${query}>; rel="next"`;
}

/**
 * The entries of a list that a peer sent: tags, or digests of referrers. Others are skipped.
 *
 * @returns undefined if it is no list, or one of something else: it is not empty.
 */
export function parseEntries(
  kind: Listing["kind"],
  content: Uint8Array,
): (string | Digest)[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder().decode(content));
  } catch {
    return undefined;
  }
  const { tags, manifests } = (document ?? {}) as Record<string, unknown>;
  const list: unknown = kind === "tags" ? tags : manifests;
  if (!Array.isArray(list)) return undefined;
  const entries = kind === "tags"
    ? list.filter((tag): tag is string => typeof tag === "string" && isTag(tag))
    : list.map((entry) => (entry as { digest?: unknown } | null)?.digest)
      .filter((digest): digest is Digest => typeof digest === "string" && isDigest(digest));
  return list.length > 0 && entries.length === 0 ? undefined : entries;
}

function unusable(name: string, value: string, wanted: string): OciError {
  const got = JSON.stringify(value.slice(0, 160));
  return new OciError("UNSUPPORTED", `${name} is ${got}, want ${wanted}`, { status: 400 });
}
