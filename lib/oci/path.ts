import { type Digest, parseDigest } from "./digest.ts";
import { OciError } from "./error.ts";
import { isRegistry, isRepository, isTag, looksLikeRegistry, type Reference } from "./reference.ts";

/** The target of a pull request (distribution specification). */
export interface DistributionPath {
  readonly kind: "manifest" | "blob";
  /** Has either a tag or a digest; blobs always have a digest. */
  readonly reference: Reference;
}

/** The registry of a request without one, as in requests to Docker's own mirrors. */
const DEFAULT_REGISTRY = "docker.io";

/**
 * Parses the path of a pull: `/v2/<name>/manifests/<tag or digest>` or `/v2/<name>/blobs/<digest>`
 * (distribution specification, endpoints end-2 and end-3).
 *
 * The registry is `ns`, the query parameter that containerd sends to mirrors; without it the first
 * component of `<name>` if that looks like a host, so that a person can pull through a mirror by
 * name; else `docker.io`.
 *
 * @param pathname percent-decoded path of the request.
 * @param ns value of the query parameter, if any.
 * @returns undefined if the path is neither of the two endpoints.
 * @throws {OciError} NAME_INVALID or DIGEST_INVALID (400) for malformed names, tags, digests.
 */
export function parseDistributionPath(
  pathname: string,
  ns: string | undefined,
): DistributionPath | undefined {
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname);
  if (match === null) return undefined;
  const [name, kind, identifier] = match.slice(1) as [string, string, string];
  const { registry, repository } = splitName(name, ns);
  if (kind === "blobs") {
    return { kind: "blob", reference: { registry, repository, digest: parseDigest(identifier) } };
  }
  if (identifier.includes(":")) {
    const digest = parseDigest(identifier);
    return { kind: "manifest", reference: { registry, repository, digest } };
  }
  if (!isTag(identifier)) {
    throw new OciError("MANIFEST_INVALID", `tag ${quote(identifier)} is malformed`, {
      status: 400,
    });
  }
  return { kind: "manifest", reference: { registry, repository, tag: identifier } };
}

/**
 * Formats the path and query of a reference at a peer: the inverse of {@link
 * parseDistributionPath}, in the form that every peer understands.
 */
export function formatDistributionPath({ kind, reference }: DistributionPath): string {
  const identifier: Digest | string = reference.digest ?? reference.tag ?? "latest";
  const query = reference.registry === "" ? "" : `?ns=${encodeURIComponent(reference.registry)}`;
  return `/v2/${reference.repository}/${kind}s/${identifier}${query}`;
}

/** The same path by digest. */
export function byDigest(
  { kind, reference: { registry, repository } }: DistributionPath,
  digest: Digest,
): DistributionPath {
  return { kind, reference: { registry, repository, digest } };
}

/**
 * Splits the name in a request's path into registry and repository, as {@link
 * parseDistributionPath} says.
 *
 * @throws {OciError} NAME_INVALID (400) if either is malformed.
 */
export function splitName(
  name: string,
  ns: string | undefined,
): { registry: string; repository: string } {
  let registry = ns;
  let repository = name;
  const slash = name.indexOf("/");
  if (registry === undefined && slash > 0 && looksLikeRegistry(name.slice(0, slash))) {
    registry = name.slice(0, slash);
    repository = name.slice(slash + 1);
  }
  registry ??= DEFAULT_REGISTRY;
  if (!isRegistry(registry)) {
    throw new OciError("NAME_INVALID", `registry ${quote(registry)} is not host[:port]`, {
      status: 400,
    });
  }
  if (!isRepository(repository)) {
    throw new OciError("NAME_INVALID", `repository ${quote(repository)} is malformed`, {
      status: 400,
    });
  }
  return { registry, repository };
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 160));
}
