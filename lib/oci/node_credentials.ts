import { type Credentials, parseBasicAuthorization } from "./credentials.ts";
import type { Reference } from "./reference.ts";

/** Credentials for a registry, or for a part of it. */
export interface RegistryCredentials {
  /** Host and port. */
  readonly registry: string;
  /** Prefix of repository names, in whole path components; empty for all. */
  readonly prefix: string;
  readonly credentials: Credentials;
}

/** The entries of a file, usable and unusable. */
export interface FoundCredentials {
  readonly usable: readonly RegistryCredentials[];
  /** Registries whose entries have no usable credentials. */
  readonly unusable: readonly string[];
}

const MAX_ENTRIES = 1000;
/** Docker Hub has several names. */
const DOCKER_HUB = new Set(["index.docker.io", "registry-1.docker.io", "docker.io"]);

/**
 * Reads `auths` of a parsed Docker configuration file: `identitytoken`, `username` and `password`,
 * or `auth`. Credential helpers are not supported: Eddy may not start programs.
 *
 * @throws {TypeError} with the reason, without any secret.
 */
export function dockerCredentials(file: unknown): FoundCredentials {
  return collect(section(file, "auths"), (entry) => entry);
}

/**
 * Reads `configs.*.auth` of a parsed registries.yaml of k3s or RKE2.
 *
 * @throws {TypeError} with the reason, without any secret.
 */
export function registriesCredentials(file: unknown): FoundCredentials {
  return collect(section(file, "configs"), (entry) => entry["auth"]);
}

/** The credentials with the longest matching prefix. */
export function findCredentials(
  all: readonly RegistryCredentials[],
  { registry, repository }: Reference,
): Credentials | undefined {
  const name = hub(registry);
  let best: RegistryCredentials | undefined;
  for (const each of all) {
    const { prefix } = each;
    const fits = prefix === "" || repository === prefix || repository.startsWith(`${prefix}/`);
    if (each.registry !== name || !fits) continue;
    if (best === undefined || prefix.length > best.prefix.length) best = each;
  }
  return best?.credentials;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function section(file: unknown, name: string): Fields {
  // An empty YAML file is null.
  if (file === null || file === undefined) return {};
  if (!isFields(file)) throw new TypeError("it is not an object");
  const found = file[name] ?? {};
  if (!isFields(found)) throw new TypeError(`${name} is not an object`);
  if (Object.keys(found).length > MAX_ENTRIES) {
    throw new TypeError(`${name} has more than ${MAX_ENTRIES} entries`);
  }
  return found;
}

function collect(entries: Fields, authOf: (entry: Fields) => unknown): FoundCredentials {
  const usable: RegistryCredentials[] = [];
  const unusable: string[] = [];
  for (const [key, entry] of Object.entries(entries)) {
    const parsed = registryOf(key);
    const auth = isFields(entry) ? authOf(entry) : undefined;
    // Entries without any are for a registry's certificates, or for a credential helper.
    if (!isFields(auth) || Object.keys(auth).length === 0) continue;
    const credentials = credentialsOf(auth);
    if (parsed === undefined || credentials === undefined) unusable.push(parsed?.registry ?? "?");
    else usable.push({ ...parsed, credentials });
  }
  return { usable, unusable };
}

/** `https://index.docker.io/v1/`, `ghcr.io`, `registry.example:5000/team`. */
function registryOf(key: string): { registry: string; prefix: string } | undefined {
  const url = URL.parse(/^https?:\/\//.test(key) ? key : `https://${key}`);
  if (url === null || url.username !== "" || url.password !== "" || key.includes("*")) {
    return undefined;
  }
  const rest = key.replace(/^https?:\/\//, "");
  const [host = "", ...path] = rest.split("/").filter((part) => part !== "");
  const prefix = path.join("/");
  // Docker itself writes the version of the API.
  return { registry: hub(host.toLowerCase()), prefix: /^v[12]$/.test(prefix) ? "" : prefix };
}

function hub(registry: string): string {
  return DOCKER_HUB.has(registry) ? "docker.io" : registry;
}

/** Docker and containerd write `identitytoken`, k3s `identity_token`. */
function credentialsOf(
  { auth, username, password, identitytoken, identity_token }: Fields,
): Credentials | undefined {
  const identityToken = identitytoken || identity_token;
  if (typeof identityToken === "string" && identityToken !== "") {
    return { username: "", password: "", identityToken };
  }
  if (typeof username === "string" && username !== "" && typeof password === "string") {
    return { username, password };
  }
  return typeof auth === "string" ? parseBasicAuthorization(`Basic ${auth}`) : undefined;
}
