import { join } from "node:path";
import { ConfigError } from "../../config/config_error.ts";
import { type Systemctl, systemctl } from "./systemctl.ts";

/** Name of the unit. */
export const UNIT = "eddy.service";

/** A node that Eddy can be a service of. */
export interface ServiceNode {
  /** Where everything goes, absolute. */
  readonly paths: {
    readonly binary: string;
    readonly unit: string;
    /** Directory of settings that users put beside the unit. */
    readonly dropIns: string;
    readonly environment: string;
    /** The service's state: its identity. */
    readonly state: string;
    /** There if the machine was booted with systemd, see sd_booted(3). */
    readonly booted: string;
  };
  readonly systemctl: Systemctl;
  /** User id of this process; null where there is none. */
  readonly uid: number | null;
  /** This program, if it is one file; undefined when it runs from its source. */
  readonly executable: string | undefined;
  /** Directory that all paths are below; `/` but for tests. */
  readonly root: string;
}

/** This machine, or one that lives below `root`. */
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
 * Checks that a command can work on the node.
 *
 * @throws {ConfigError} if it cannot: one line that says what to do.
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
