import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { ifPresent } from "../files/if_present.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import { basicAuthorization } from "../oci/basic_auth.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ReloadingFile } from "./reloading_file.ts";

/** Spegel's directory of credentials, the default. */
const DEFAULT_DIRECTORY = "/etc/secrets/basic-auth";
/** Longer credentials are a mistake: they must fit into a header. */
const MAX_LENGTH = 2048;
/** How long old credentials are accepted after a change: nodes do not change at once, ms. */
const OVERLAP_MS = 10 * 60_000;

/** Collaborators of {@link BasicAuth}. */
export type BasicAuthCollaborators = Pick<Runtime, "clock" | "log">;

/**
 * The credentials that containerd and peers must send. They are read from the files `username` and
 * `password` of a directory, and reread while the agent runs.
 */
export class BasicAuth {
  readonly #collaborators: BasicAuthCollaborators;
  readonly #directory: string;
  #current: string | undefined;
  #before: { readonly authorization: string; readonly until: number } | undefined;

  private constructor(
    collaborators: BasicAuthCollaborators,
    directory: string,
    current: string | undefined,
  ) {
    this.#collaborators = collaborators;
    this.#directory = directory;
    this.#current = current;
  }

  /**
   * Reads the credentials for the first time.
   *
   * @throws {ConfigError} if they cannot be read, or the configured directory has none.
   */
  static async open(
    config: Pick<Config, "basicAuthDir">,
    collaborators: BasicAuthCollaborators,
  ): Promise<BasicAuth> {
    const directory = config.basicAuthDir ?? DEFAULT_DIRECTORY;
    return new BasicAuth(collaborators, directory, await configuredAuthorization(config));
  }

  /** The `Authorization` header to send; undefined if there are no credentials. */
  readonly current = (): string | undefined => this.#current;

  /** The accepted headers, the current one first; empty if none is required. */
  readonly accepted = (): readonly string[] => {
    if (this.#current === undefined) return [];
    const before = this.#before;
    return before !== undefined && before.until > this.#collaborators.clock.now()
      ? [this.#current, before.authorization]
      : [this.#current];
  };

  /**
   * Rereads the files in the background.
   *
   * @param onChange called when the credentials change; a rejection is logged.
   * @returns a function that stops it.
   */
  follow(onChange: () => Promise<void>): () => Promise<void> {
    const { clock, log } = this.#collaborators;
    const files = new ReloadingFile(clock, {
      read: async () => {
        if (!await this.#reread()) return;
        log.info("the credentials for basic authentication have changed");
        await onChange().catch((error) =>
          log.error("the mirror configuration could not be updated with the new credentials", {
            error,
          })
        );
      },
      onProblem: (problem) =>
        log.warn("credentials cannot be read, the last ones stay in force", {
          directory: this.#directory,
          problem,
        }),
    });
    return files.follow((error) => log.error("credentials are no longer reread", { error }));
  }

  /** Rereads the files; returns whether the credentials changed. */
  async #reread(): Promise<boolean> {
    const next = await readAuthorization(this.#directory);
    if (next === this.#current) return false;
    if (next === undefined) throw new Error("the files are missing or empty");
    const until = this.#collaborators.clock.now() + OVERLAP_MS;
    this.#before = this.#current === undefined
      ? undefined
      : { authorization: this.#current, until };
    this.#current = next;
    return true;
  }
}

/**
 * The configured `Authorization` header; undefined if none is required.
 *
 * @throws {ConfigError} if the files cannot be read, or the configured directory has none.
 */
export async function configuredAuthorization(
  { basicAuthDir }: Pick<Config, "basicAuthDir">,
): Promise<string | undefined> {
  const directory = basicAuthDir ?? DEFAULT_DIRECTORY;
  const refuse = (problem: string) =>
    new ConfigError(
      `--basic-auth-dir: got ${JSON.stringify(directory)}, want a directory with the files ` +
        `username and password (${problem})`,
    );
  let authorization: string | undefined;
  try {
    authorization = await readAuthorization(directory);
  } catch (error) {
    throw refuse(messageOf(error));
  }
  if (authorization === undefined && basicAuthDir !== undefined) throw refuse("there are none");
  return authorization;
}

/** Undefined if both files are missing or empty, as in Spegel. */
async function readAuthorization(directory: string): Promise<string | undefined> {
  const username = await readSecret(`${directory}/username`);
  const password = await readSecret(`${directory}/password`);
  if (username === "" && password === "") return undefined;
  if (username.includes(":")) throw new Error("a user name cannot contain a colon");
  return basicAuthorization(username, password);
}

/** A file's text without its final line break; empty if there is no file. */
async function readSecret(path: string): Promise<string> {
  const text = await ifPresent(readSmallFile(path, MAX_LENGTH));
  return text?.replace(/\r?\n$/, "") ?? "";
}
