import { type Digest, isDigest } from "./digest.ts";

/** A registry, repository and a tag, a digest or both. `registry` is empty only if unknown. */
export interface Reference {
  /** Host and optional port, e.g. `docker.io` or `localhost:5000`. */
  readonly registry: string;
  /** Repository below the registry, e.g. `library/nginx`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Repository names (distribution specification, "Pulling manifests"). */
const REPOSITORY =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
/** Tags, by the same section. */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** Host name, IPv4 or bracketed IPv6 address, with an optional port. */
const REGISTRY =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;
/** The specification limits a name to 255 characters, registry included. */
const MAX_NAME_LENGTH = 255;

/** Tells whether `text` is a valid repository name. */
export function isRepository(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && REPOSITORY.test(text);
}

/** Tells whether `text` is a valid tag. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** Tells whether `text` is a syntactically valid registry host with an optional port. */
export function isRegistry(text: string): boolean {
  // Names such as `xn--a` have the right characters and are still none (UTS 46).
  return text.length <= MAX_NAME_LENGTH && REGISTRY.test(text) && URL.canParse(`http://${text}`);
}

/**
 * Tells whether the first path component of an image name is a registry rather than a part of the
 * repository: it has a dot or a port, or is `localhost` (Docker's reference grammar).
 */
export function looksLikeRegistry(component: string): boolean {
  return isRegistry(component) &&
    (component === "localhost" || component.includes(".") || component.includes(":"));
}

/**
 * Parses a full image name as containerd stores it: `registry/repository[:tag][@digest]`.
 *
 * @returns undefined for names without a registry (such as CRI's `sha256:…`) and malformed ones.
 */
export function parseReference(name: string): Reference | undefined {
  const slash = name.indexOf("/");
  if (slash < 0 || !looksLikeRegistry(name.slice(0, slash))) return undefined;
  const registry = name.slice(0, slash);
  let rest = name.slice(slash + 1);
  let digest: Digest | undefined;
  const at = rest.indexOf("@");
  if (at >= 0) {
    const text = rest.slice(at + 1);
    if (!isDigest(text)) return undefined;
    digest = text;
    rest = rest.slice(0, at);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(":");
  if (colon >= 0) {
    tag = rest.slice(colon + 1);
    if (!isTag(tag)) return undefined;
    rest = rest.slice(0, colon);
  }
  if (!isRepository(rest)) return undefined;
  return {
    registry,
    repository: rest,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Formats a reference in full; the inverse of {@link parseReference}. */
export function formatReference(reference: Reference): string {
  const name = reference.registry === ""
    ? reference.repository
    : `${reference.registry}/${reference.repository}`;
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${name}${tag}${digest}`;
}

/**
 * The key under which a reference is advertised and looked up: its digest if it has one, else
 * `registry/repository:tag` (docs/peer-protocol.md, "Keys").
 */
export function referenceKey(reference: Reference): string {
  if (reference.digest !== undefined) return reference.digest;
  return `${reference.registry}/${reference.repository}:${reference.tag ?? "latest"}`;
}
