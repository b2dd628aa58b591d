import { join } from "node:path";
import { ConfigError } from "../../config/config_error.ts";
import { type Systemctl, systemctl } from "./systemctl.ts";

/** Name of the unit. */
export const UNIT = "eddy.service";

/** A node that Eddy can be installed on. */
export interface ServiceNode {
  /** Absolute paths of the service's files. */
  readonly paths: {
    readonly binary: string;
    readonly unit: string;
    /** Directory of the unit's drop-ins, which belong to the user. */
    readonly dropIns: string;
    readonly environment: string;
    /** The service's state directory, with its identity. */
    readonly state: string;
    /** Exists if the machine was booted with systemd (sd_booted(3)). */
    readonly booted: string;
  };
  readonly systemctl: Systemctl;
  /** User id of this process; null if the platform has none. */
  readonly uid: number | null;
  /** Path of the compiled program; undefined when it runs from source. */
  readonly executable: string | undefined;
  /** Root directory of all paths; `/` except in tests. */
  readonly root: string;
}

/** This machine, or one below `root`. */
export function serviceNode(root = "/"): ServiceNode {
  return {
    paths: {
      binary: join(root, "usr/local/bin/eddy"),
      unit: join(root, "etc/systemd/system", UNIT),
      dropIns: join(root, "etc/systemd/system", `${UNIT}.d`),
      environment: join(root, "etc/eddy/eddy.env"),
      state: join(root, "var/lib/eddy"),
      booted: join(root, "run/systemd/system"),
    },
    systemctl,
    uid: Deno.build.os === "windows" ? null : Deno.uid(),
    executable: Deno.build.standalone ? Deno.execPath() : undefined,
    root,
  };
}

/**
 * Checks that a command can run on the node.
 *
 * @throws {ConfigError} with the remedy if it cannot.
 */
export async function checkServiceNode(node: ServiceNode, command: string): Promise<void> {
  const booted = await Deno.stat(node.paths.booted).then((info) => info.isDirectory, () => false);
  if (!booted) {
    throw new ConfigError(
      `${command}: no systemd runs here (${node.paths.booted} is not there), want a machine ` +
        "that was booted with it; elsewhere have your service manager run eddy agent",
    );
  }
  if (node.uid !== 0) {
    throw new ConfigError(`${command}: got user id ${node.uid}, want root: run it by sudo`);
  }
}
