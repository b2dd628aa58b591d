import { type Credentials, parseBasicAuthorization } from "./credentials.ts";
import { isRegistry, type Reference } from "./reference.ts";

/** Credentials for a registry or a server, or for a part of it. */
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
/** Maximum length of a name in a message. */
const MAX_NAME_LENGTH = 100;
/** Docker Hub has several names. */
const DOCKER_HUB = new Set(["index.docker.io", "registry-1.docker.io", "docker.io"]);

/**
 * Reads `auths` of a parsed Docker configuration file: `identitytoken`, `username` and `password`,
 * or `auth`. Credential helpers are not supported: Eddy may not start programs.
 *
 * @throws {TypeError} with the reason, without any secret.
 */
export function dockerCredentials(file: unknown): FoundCredentials {
  const usable: RegistryCredentials[] = [];
  const unusable: string[] = [];
  for (const [key, auth] of Object.entries(section(file, "auths"))) {
    // Entries without credentials are left to a credential helper.
    if (!isFields(auth) || Object.keys(auth).length === 0) continue;
    const place = registryOf(key);
    const credentials = dockerEntry(auth);
    if (place === undefined || credentials === undefined) unusable.push(place?.registry ?? "?");
    else usable.push({ ...place, credentials });
  }
  return { usable, unusable };
}

/**
 * Reads `configs.*.auth` of a parsed registries.yaml of k3s or RKE2. Each entry is for the server
 * of that name, whichever registry it serves.
 *
 * Sources: github.com/rancher/wharfie pkg/registries; containerd's CRI plugin, ParseAuth.
 *
 * @throws {TypeError} with the reason, without any secret.
 */
export function registriesCredentials(file: unknown): FoundCredentials {
  const usable: RegistryCredentials[] = [];
  const unusable: string[] = [];
  for (const [key, entry] of Object.entries(section(file, "configs"))) {
    const auth = isFields(entry) ? entry["auth"] ?? {} : entry ?? {};
    // Entries without credentials configure a server's certificates.
    if (isFields(auth) && Object.keys(auth).length === 0) continue;
    const credentials = isFields(auth) ? registriesEntry(auth) : undefined;
    if (isRegistry(key) && credentials !== undefined) {
      usable.push({ registry: hub(key.toLowerCase()), prefix: "", credentials });
    } else {
      // A URL may contain a password.
      unusable.push(key.includes("@") ? "?" : key.slice(0, MAX_NAME_LENGTH));
    }
  }
  return { usable, unusable };
}

/** The credentials for a server, by its URL. */
export function findServerCredentials(
  all: readonly RegistryCredentials[],
  { host, port, protocol }: URL,
): Credentials | undefined {
  const explicit = port === "" ? `${host}:${protocol === "http:" ? 80 : 443}` : host;
  return all.find(({ registry }) => registry === hub(host) || registry === explicit)?.credentials;
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

/** Docker's precedence: a token, then user and password, then `auth`. */
function dockerEntry(entry: Fields): Credentials | undefined {
  return tokenOf(entry["identitytoken"]) ?? pairOf(entry) ?? encodedPair(entry["auth"]);
}

/** containerd's precedence: user and password, then a token, then `auth`. */
function registriesEntry(entry: Fields): Credentials | undefined {
  const { auth } = entry;
  const isBase64 = typeof auth === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(auth);
  return pairOf(entry) ?? tokenOf(entry["identity_token"]) ??
    (isBase64 ? encodedPair(auth) : undefined);
}

function tokenOf(token: unknown): Credentials | undefined {
  const isToken = typeof token === "string" && token !== "";
  return isToken ? { username: "", password: "", identityToken: token } : undefined;
}

function pairOf({ username, password }: Fields): Credentials | undefined {
  const isPair = typeof username === "string" && username !== "" && typeof password === "string";
  return isPair ? { username, password } : undefined;
}

function encodedPair(auth: unknown): Credentials | undefined {
  return typeof auth === "string" ? parseBasicAuthorization(`Basic ${auth}`) : undefined;
}
