import type { Containerd } from "./containerd.ts";
import type { CommandResult } from "./run_command.ts";

/** Name of the image in the archive, as `.ci/image` writes it. */
const REFERENCE = "localhost/eddy:latest";
/** A namespace of its own: the kubelet's images do not change by it. */
const NAMESPACE = "eddy";
const NAME = "eddy-agent";
/** Those that containerd grants unless told otherwise. */
const CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"],
  ...["SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
];

/** Eddy's image as a container of the node's own containerd, as a DaemonSet runs it. */
export interface ImageContainer {
  /** For the agent's data and log; writable in the container. */
  readonly directory: string;
  /** What to put in front of Eddy's arguments to run them in the image, in the foreground. */
  readonly argv: readonly string[];
  /** Runs other arguments to their end, without a mount. */
  runOnce(args: readonly string[]): Promise<CommandResult>;
  /** `/proc/PID/status` of the container's first process. */
  processStatus(): Promise<string>;
  /** Resident memory, MiB. */
  rssMib(): Promise<number>;
}

/** Imports the image from an OCI archive into a node's containerd. */
export async function imageContainer(
  containerd: Containerd,
  archive: string,
): Promise<ImageContainer> {
  const directory = `${containerd.contentPath.split("/root/")[0]}/image`;
  await Deno.mkdir(`${directory}/data`, { recursive: true });
  const ctr = (args: readonly string[]) =>
    containerd.ctr(args, { namespace: NAMESPACE, timeoutMs: 120_000 });
  await ctr(["images", "import", await Deno.realPath(archive)]);

  const restrictions = [
    ...["--rm", "--net-host", "--read-only"],
    ...CAPABILITIES.flatMap((name) => ["--cap-drop", `CAP_${name}`]),
  ];
  const mounts = [
    mount(containerd.socket, "ro"),
    mount(containerd.contentPath, "ro"),
    mount(containerd.certsPath, "rw"),
    mount(`${directory}/data`, "rw"),
  ];
  const processStatus = async () => {
    const { stdout } = await ctr(["tasks", "list"]);
    const pid = new RegExp(`^${NAME}\\s+(\\d+)`, "m").exec(stdout)?.[1];
    return await Deno.readTextFile(`/proc/${pid}/status`);
  };
  return {
    directory,
    argv: [
      ...containerd.ctrArgv(NAMESPACE),
      ...["run", ...restrictions, ...mounts, REFERENCE, NAME, "/usr/local/bin/eddy"],
    ],
    runOnce: (args) =>
      ctr(["run", ...restrictions, REFERENCE, "eddy-once", "/usr/local/bin/eddy", ...args]),
    processStatus,
    rssMib: async () => Number(/VmRSS:\s+(\d+)/.exec(await processStatus())?.[1]) / 1024,
  };
}

function mount(path: string, mode: "ro" | "rw"): string {
  return `--mount=type=bind,src=${path},dst=${path},options=rbind:${mode}`;
}
