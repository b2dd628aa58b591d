import { digestOf } from "../../../../lib/oci/digest.ts";
import type { PullSecret } from "../cri_images.ts";
import { type Host, onHostWithCgroups } from "../network.ts";
import { type CommandResult, runCommand } from "../run_command.ts";

const MIRROR = "127.0.0.1:5000";

/** Settings of {@link ContainersTools.make}. */
export interface ContainersToolsOptions {
  host: Host;
  /** For configuration and everything they keep. */
  directory: string;
  /** Registry in references; a mirror's location cannot have one with a port. */
  registry: string;
  /** Where it is really, without TLS. */
  location: string;
}

/** podman and skopeo on a host, which read one configuration: Eddy is a mirror of the registry. */
export class ContainersTools {
  readonly #host: Host;
  readonly #directory: string;
  readonly #registry: string;
  readonly #location: string;

  private constructor({ host, directory, registry, location }: ContainersToolsOptions) {
    this.#host = host;
    this.#directory = directory;
    this.#registry = registry;
    this.#location = location;
  }

  /** Writes their configuration (containers-registries.conf(5), containers-storage.conf(5)). */
  static async make(options: ContainersToolsOptions): Promise<ContainersTools> {
    const { directory, registry, location } = options;
    await Deno.mkdir(directory, { recursive: true });
    const registries = [
      `unqualified-search-registries = []`,
      `[[registry]]`,
      `prefix = "${registry}"`,
      `location = "${location}"`,
      `insecure = true`,
      `[[registry.mirror]]`,
      `location = "${MIRROR}/${registry}"`,
      `insecure = true`,
    ];
    const storage = [
      `[storage]`,
      `driver = "overlay"`,
      `graphroot = "${directory}/storage"`,
      `runroot = "${directory}/run"`,
      `[storage.options]`,
      `pull_options = { enable_partial_images = "true", use_hard_links = "false" }`,
    ];
    await Deno.writeTextFile(`${directory}/registries.conf`, registries.join("\n"));
    await Deno.writeTextFile(`${directory}/storage.conf`, storage.join("\n"));
    const policy = { default: [{ type: "insecureAcceptAnything" }] };
    await Deno.writeTextFile(`${directory}/policy.json`, JSON.stringify(policy));
    const tools = new ContainersTools(options);
    await tools.#logIn(undefined);
    return tools;
  }

  /** Keeps a secret for the registry and for its mirror (containers-auth.json(5)). */
  async #logIn(secret: PullSecret | undefined): Promise<void> {
    const auth = secret && btoa(`${secret.username}:${secret.password}`);
    const auths = auth === undefined ? {} : { [this.#location]: { auth }, [MIRROR]: { auth } };
    await Deno.writeTextFile(`${this.#directory}/auth.json`, JSON.stringify({ auths }));
  }

  /** Pulls by podman. @param name `repository:tag` or `repository@digest`. */
  async podmanPull(name: string, secret?: PullSecret): Promise<string> {
    const reference = `${this.#registry}/${name}`;
    const policy = ["--signature-policy", `${this.#directory}/policy.json`];
    await this.#logIn(secret);
    await this.run(["podman", "pull", "--quiet", ...policy, reference]);
    const format = ["--format", "{{.Digest}}"];
    return (await this.run(["podman", "image", "inspect", ...format, reference])).stdout.trim();
  }

  /** SHA-256 of each file of an image that podman has pulled, by name. */
  async podmanFiles(name: string): Promise<Record<string, string>> {
    const script = 'cd "$(podman image mount "$0")" && sha256sum *';
    const { stdout } = await this.run(["sh", "-c", script, `${this.#registry}/${name}`]);
    return Object.fromEntries(
      stdout.trim().split("\n").map((line) => line.split(/ +\*?/).toReversed()),
    );
  }

  /** Copies an image by skopeo into a directory, as it is. */
  async skopeoPull(name: string, secret?: PullSecret): Promise<string> {
    const copy = `${this.#directory}/copy`;
    await Deno.remove(copy, { recursive: true }).catch(() => {});
    await this.#logIn(secret);
    await this.skopeoCopy([], `docker://${this.#registry}/${name}`, `dir:${copy}`);
    return digestOf(await Deno.readFile(`${copy}/manifest.json`));
  }

  async skopeoCopy(options: readonly string[], from: string, to: string): Promise<void> {
    const files = [
      ...["--policy", `${this.#directory}/policy.json`],
      ...["--registries-conf", `${this.#directory}/registries.conf`],
    ];
    await this.run(["skopeo", ...files, "copy", "--quiet", ...options, from, to]);
  }

  /** Runs a command with the configuration of both. */
  run(argv: readonly string[]): Promise<CommandResult> {
    const environment = [
      // Of podman; skopeo has a flag.
      `CONTAINERS_REGISTRIES_CONF=${this.#directory}/registries.conf`,
      `CONTAINERS_STORAGE_CONF=${this.#directory}/storage.conf`,
      `REGISTRY_AUTH_FILE=${this.#directory}/auth.json`,
      `HOME=${this.#directory}`,
      `XDG_CACHE_HOME=${this.#directory}/cache`,
    ];
    return runCommand(onHostWithCgroups(this.#host, ["env", ...environment, ...argv]), {
      timeoutMs: 60_000,
    });
  }
}
