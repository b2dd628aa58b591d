import { type Digest, splitDigest } from "../../../lib/oci/digest.ts";
import type { ContainerdRelease } from "./containerd_release.ts";
import { CriImages, type PullSecret } from "./cri_images.ts";
import type { Image } from "./image.ts";
import { ManagedProcess } from "./managed_process.ts";
import { type Host, onHost, onHostWithCgroups } from "./network.ts";
import { type CommandResult, runCommand, type RunCommandOptions } from "./run_command.ts";
import { GiveUp, until } from "./until.ts";

/** Settings of {@link Containerd}. */
export interface ContainerdOptions {
  host: Host;
  release: ContainerdRelease;
  /** For everything it keeps: content, state, socket, configuration, log. */
  directory: string;
  /** Whether it is to run containers, and not only to hold images. Default false. */
  runsContainers?: boolean;
}

/** Memory of containerd 2.x for the parts of layers. */
const FETCH_BUFFER_BYTES = 16 * 1024 * 1024;

/** Deviations of containerd's configuration. */
export interface ContainerdDeviations {
  /** Directory of registry hosts instead of {@link Containerd.certsPath}. */
  registryConfigPath?: string;
  /** Throws layers away once they are unpacked. */
  discardUnpackedLayers?: boolean;
  /** A file of certificates that it trusts instead of the machine's. */
  trustedFile?: string;
  /** Fetches large layers in parts, several at once (2.x). */
  fetchesParts?: boolean;
}

/** A real containerd with the CRI plugin, all of whose files are its own. */
export class Containerd implements AsyncDisposable {
  readonly socket: string;
  readonly contentPath: string;
  readonly certsPath: string;
  readonly cri: CriImages;
  readonly #options: ContainerdOptions;
  #process: ManagedProcess | undefined;

  constructor(options: ContainerdOptions) {
    this.#options = options;
    this.socket = `${options.directory}/containerd.sock`;
    this.contentPath = `${options.directory}/root/io.containerd.content.v1.content`;
    this.certsPath = `${options.directory}/certs.d`;
    this.cri = new CriImages(this.socket);
  }

  /** Starts it and waits until its image service answers. */
  async start(deviations: ContainerdDeviations = {}): Promise<void> {
    const { directory, release, host, runsContainers = false } = this.#options;
    const { trustedFile } = deviations;
    const onNode = runsContainers ? onHostWithCgroups : onHost;
    await Deno.mkdir(this.certsPath, { recursive: true });
    const file = `${directory}/config.toml`;
    await Deno.writeTextFile(file, this.#config(deviations));
    this.#process = ManagedProcess.start({
      name: `containerd ${release.name} on ${host.name}`,
      argv: onNode(host, [
        ...(trustedFile === undefined ? [] : ["env", `SSL_CERT_FILE=${trustedFile}`]),
        ...[`${release.directory}/containerd`, "--config", file],
      ]),
      logFile: `${directory}/containerd.log`,
      noise: /loading plugin|msg=serving/,
    });
    await until(async () => {
      if (this.#process?.status !== undefined) throw new GiveUp(await this.tail());
      await this.cri.list();
      return true;
    }, { what: `containerd on ${host.name} to answer` });
  }

  /** Ends it as a service manager would. */
  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** Runs `ctr` on the node, in the namespace that the CRI uses unless another is named. */
  ctr(
    args: readonly string[],
    { namespace, ...options }: RunCommandOptions & { namespace?: string } = {},
  ): Promise<CommandResult> {
    const argv = onHost(this.#options.host, [...this.ctrArgv(namespace), ...args]);
    return runCommand(argv, { timeoutMs: 60_000, ...options });
  }

  /** What to put in front of `ctr`'s arguments on the node. */
  ctrArgv(namespace = "k8s.io"): string[] {
    return [`${this.#options.release.directory}/ctr`, "-a", this.socket, "-n", namespace];
  }

  /** Pulls without unpacking, by the client's own resolver, and makes the image record. */
  async fetch(
    reference: string,
    { secret, ...options }: RunCommandOptions & { readonly secret?: PullSecret } = {},
  ): Promise<CommandResult> {
    const user = secret === undefined ? [] : ["--user", `${secret.username}:${secret.password}`];
    const fetch = ["content", "fetch", "--hosts-dir", this.certsPath, ...user, reference];
    return await this.ctr(fetch, options);
  }

  /**
   * Removes an image with all its names, as the kubelet does, and waits until its content was
   * collected. (The CRI plugin gives every image of its namespace a second name, which keeps the
   * content; so `ctr images rm` frees nothing.)
   */
  async remove(reference: string, image: Image): Promise<void> {
    await this.removeName(reference);
    await until(async () => (await this.lacks(image)).length === image.pulled.length, {
      what: `content of ${reference} to be collected`,
    });
  }

  /** Removes an image as {@link Containerd.remove} does, for one that shares content with others. */
  async removeName(reference: string): Promise<void> {
    await until(async () => {
      // The CRI plugin learns of images that others made from events, so a little later.
      const images = await this.cri.list();
      return images.some(({ repoTags }) => repoTags.includes(reference));
    }, { what: `CRI to know ${reference}` });
    await this.cri.remove(reference);
  }

  /** Has garbage collected, and waits until it is. */
  async collect(): Promise<void> {
    const { stdout } = await this.ctr(["leases", "create"]);
    await this.ctr(["leases", "delete", "--sync", stdout.trim()]);
  }

  /** Names of the leases of Eddy. */
  async leases(): Promise<string[]> {
    const { stdout } = await this.ctr(["leases", "ls", "--quiet"]);
    return stdout.split("\n").filter((id) => id.startsWith("eddy-"));
  }

  /** What of the image's content for this platform the node does not hold. */
  async lacks(image: Image): Promise<Digest[]> {
    const lacking: Digest[] = [];
    for (const { digest, size } of image.pulled) {
      const { algorithm, hex } = splitDigest(digest);
      const file = `${this.contentPath}/blobs/${algorithm}/${hex}`;
      const held = await Deno.stat(file).then((info) => info.size === size, () => false);
      if (!held) lacking.push(digest);
    }
    return lacking;
  }

  async tail(): Promise<string> {
    return await this.#process?.tail() ?? `--- containerd on ${this.#options.host.name} (stopped)`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cri[Symbol.dispose]();
    await this.#process?.[Symbol.asyncDispose]();
  }

  #config(
    { registryConfigPath, discardUnpackedLayers, fetchesParts = false }: ContainerdDeviations,
  ): string {
    const { directory, release } = this.#options;
    const isOld = release.name === "1.6";
    const images = isOld ? "io.containerd.grpc.v1.cri" : "io.containerd.cri.v1.images";
    const lines = [
      `version = ${isOld ? 2 : 3}`,
      `root = "${directory}/root"`,
      `state = "${directory}/state"`,
      `[grpc]`,
      `address = "${this.socket}"`,
      // Without a path of its own it makes a directory in /opt.
      `[plugins."io.containerd.internal.v1.opt"]`,
      `path = "${directory}/opt"`,
      `[plugins."${images}".registry]`,
      `config_path = "${registryConfigPath ?? this.certsPath}"`,
      `[plugins."${images}"${isOld ? ".containerd" : ""}]`,
      `discard_unpacked_layers = ${discardUnpackedLayers === true}`,
      ...(fetchesParts
        ? [
          `concurrent_layer_fetch_buffer = ${FETCH_BUFFER_BYTES}`,
          `[plugins."io.containerd.transfer.v1.local"]`,
          `concurrent_layer_fetch_buffer = ${FETCH_BUFFER_BYTES}`,
        ]
        : []),
      // Several containerds on one machine would fight over the one socket of NRI.
      ...(isOld ? [] : [`[plugins."io.containerd.nri.v1.nri"]`, `disable = true`]),
    ];
    return lines.join("\n") + "\n";
  }
}
