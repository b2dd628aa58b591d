import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { parseYaml } from "../config/parse_yaml.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import {
  dockerCredentials,
  findCredentials,
  findServerCredentials,
  type FoundCredentials,
  registriesCredentials,
} from "../oci/node_credentials.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Log } from "../ports/log.ts";
import type { Credentials } from "../oci/credentials.ts";
import type { NodeCredentials } from "../ports/access.ts";
import { ReloadingFile } from "./reloading_file.ts";

/** YAML as k3s reads it. */
const LIKE_GO = { uniqueKeys: false, merge: true, firstOnly: true };
const MAX_BYTES = 1024 * 1024;
/** Value of the flag that disables the search for files. */
const NONE = "none";
/** Paths of k3s and RKE2. */
const REGISTRIES_FILES = ["/etc/rancher/k3s/registries.yaml", "/etc/rancher/rke2/registries.yaml"];

interface Source {
  readonly path: string;
  /** The flag that names it; undefined: it is at a default path. */
  readonly flag: string | undefined;
  readonly parse: (text: string) => FoundCredentials;
}

/** Finds credentials for a server. Does not reject. */
export type ServerCredentials = (server: URL) => Promise<Credentials | undefined>;

/** Credentials from the node's own files; undefined if no file is named or found. */
export interface NodeFiles {
  /** By the registry in an image's name: Docker's configuration file, as kubelet reads it. */
  readonly images: NodeCredentials | undefined;
  /** By server, for all images: registries.yaml, as k3s reads it. */
  readonly servers: ServerCredentials | undefined;
}

/**
 * Opens the node's own files of credentials.
 *
 * @param registriesFiles default paths, if no file is named.
 * @throws {ConfigError} if a file that a flag names is unusable; the message contains no secret.
 */
export async function openNodeFiles(
  { dockerConfig, registriesFile }: Pick<Config, "dockerConfig" | "registriesFile">,
  { clock, log }: Pick<Runtime, "clock" | "log">,
  registriesFiles: readonly string[] = REGISTRIES_FILES,
): Promise<NodeFiles> {
  const open = async (sources: readonly Source[]) => {
    const files: CredentialsFile[] = [];
    for (const source of sources) {
      const file = new CredentialsFile(source, { clock, log });
      if (await file.open()) files.push(file);
    }
    return files;
  };
  const docker = await open(
    dockerConfig === undefined
      ? []
      : [{ path: dockerConfig, flag: "--docker-config", parse: parseDocker }],
  );
  const flag = registriesFile === undefined ? undefined : "--registries-file";
  const paths = registriesFile === undefined ? registriesFiles : [registriesFile];
  const registries = await open(
    registriesFile === NONE ? [] : paths.map((path) => ({ path, flag, parse: parseRegistries })),
  );
  return {
    images: finder(docker, findCredentials),
    servers: finder(registries, findServerCredentials),
  };
}

/** Finds credentials in the first file that has any; undefined without files. */
function finder<Sought>(
  files: readonly CredentialsFile[],
  find: (all: FoundCredentials["usable"], sought: Sought) => Credentials | undefined,
): ((sought: Sought) => Promise<Credentials | undefined>) | undefined {
  if (files.length === 0) return undefined;
  return async (sought) => {
    for (const file of files) {
      const found = find((await file.get()).usable, sought);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** A file of credentials, reread when it changes. */
class CredentialsFile {
  readonly #source: Source;
  readonly #log: Log;
  readonly #file: ReloadingFile;
  #found: FoundCredentials = { usable: [], unusable: [] };
  #version = "";

  constructor(source: Source, { clock, log }: Pick<Runtime, "clock" | "log">) {
    this.#source = source;
    this.#log = log;
    this.#file = new ReloadingFile(clock, {
      read: () => this.#read(),
      onProblem: (reason) =>
        log.warn("the node's own credentials for registries cannot be read", {
          path: source.path,
          reason,
        }),
    });
  }

  /**
   * Reads it for the first time.
   *
   * @returns false if there is no file at a default path.
   * @throws {ConfigError} if a flag names it and it is unusable.
   */
  async open(): Promise<boolean> {
    const { path, flag } = this.#source;
    try {
      await this.#read();
    } catch (error) {
      if (flag !== undefined) {
        throw new ConfigError(
          `${flag}: got ${JSON.stringify(path)}, want a readable file with credentials ` +
            `(${messageOf(error)})`,
        );
      }
      if (error instanceof Deno.errors.NotFound) return false;
    }
    await this.#file.refresh();
    return true;
  }

  /** Its credentials; the last ones if it can no longer be read. */
  async get(): Promise<FoundCredentials> {
    await this.#file.refresh();
    return this.#found;
  }

  async #read(): Promise<void> {
    const { path, parse } = this.#source;
    const { size, mtime, ino, isFile } = await Deno.stat(path);
    if (!isFile) throw new Error("it is not a file");
    const version = `${size} ${ino} ${mtime?.getTime()}`;
    if (version === this.#version) return;
    this.#found = parse(await readSmallFile(path, MAX_BYTES));
    this.#version = version;
    const registries = [...new Set(this.#found.usable.map(({ registry }) => registry))];
    this.#log.info("the node's own credentials for registries were read", { path, registries });
    if (this.#found.unusable.length > 0) {
      this.#log.warn(
        "entries for registries are not used: want HOST[:PORT] with username and password, auth, " +
          "or an identity token",
        {
          path,
          registries: this.#found.unusable,
        },
      );
    }
  }
}

function parseDocker(text: string): FoundCredentials {
  return dockerCredentials(parsed("JSON", () => JSON.parse(text)));
}

function parseRegistries(text: string): FoundCredentials {
  return registriesCredentials(parsed("YAML", () => parseYaml(text, LIKE_GO)));
}

/** Replaces messages of parsers: they quote the text, and so secrets. */
function parsed(language: string, run: () => unknown): unknown {
  try {
    return run();
  } catch {
    throw new Error(`it is not valid ${language}`);
  }
}
