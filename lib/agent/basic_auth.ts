import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { ifPresent } from "../files/if_present.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import { basicAuthorization } from "../oci/basic_auth.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ReloadingFile } from "./reloading_file.ts";

/** Where Spegel has its credentials; taken unless another directory is named. */
const DEFAULT_DIRECTORY = "/etc/secrets/basic-auth";
/** Longer ones than this are a mistake: headers have to carry them. */
const MAX_LENGTH = 2048;
/** Nodes do not get new credentials at the same moment: the old ones do for so long, ms. */
const OVERLAP_MS = 10 * 60_000;

/** Collaborators of {@link BasicAuth}. */
export type BasicAuthCollaborators = Pick<Runtime, "clock" | "log">;

/**
 * The credentials that containerd and peers have to show, read from the files `username` and
 * `password` of a directory, and read again now and then.
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
   * @throws {ConfigError} if they cannot be read, or a directory was named and has none.
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

  /** The headers that are accepted, the current one first; empty if none is needed. */
  readonly accepted = (): readonly string[] => {
    if (this.#current === undefined) return [];
    const before = this.#before;
    return before !== undefined && before.until > this.#collaborators.clock.now()
      ? [this.#current, before.authorization]
      : [this.#current];
  };

  /**
   * Reads the files again and again in the background.
   *
   * @param onChange called when there are new credentials; what it rejects with is logged.
   * @returns how to end that.
   */
  follow(onChange: () => Promise<void>): () => Promise<void> {
    const { clock, log } = this.#collaborators;
    const files = new ReloadingFile(clock, {
      read: async () => {
        if (!await this.#reread()) return;
        log.info("there are new credentials for basic authentication");
        await onChange().catch((error) =>
          log.error("new credentials could not be put into the mirror configuration", { error })
        );
      },
      onProblem: (problem) =>
        log.warn("credentials cannot be read, the last ones stay in force", {
          directory: this.#directory,
          problem,
        }),
    });
    return files.follow((error) => log.error("credentials are no longer read again", { error }));
  }

  /** Says whether there are new credentials. */
  async #reread(): Promise<boolean> {
    const next = await readAuthorization(this.#directory);
    if (next === this.#current) return false;
    if (next === undefined) throw new Error("they are gone");
    const until = this.#collaborators.clock.now() + OVERLAP_MS;
    this.#before = this.#current === undefined
      ? undefined
      : { authorization: this.#current, until };
    this.#current = next;
    return true;
  }
}

/**
 * The header that the configuration asks for; undefined for none.
 *
 * @throws {ConfigError} if the files cannot be read, or a directory was named and has none.
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
  if (username.includes(":")) throw new Error("a user name cannot have a colon in it");
  return basicAuthorization(username, password);
}

/** A file's text without the line's end that editors put there; empty if there is no file. */
async function readSecret(path: string): Promise<string> {
  const text = await ifPresent(readSmallFile(path, MAX_LENGTH));
  return text?.replace(/\r?\n$/, "") ?? "";
}
