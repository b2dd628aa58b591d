import { ClusterKey, parseClusterKeys } from "../access/cluster_key.ts";
import { messageOf } from "../async/thrown.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { readSmallFile } from "../files/read_small_file.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ReloadingFile } from "./reloading_file.ts";
import type { StopStack } from "./stop_stack.ts";

const MAX_BYTES = 4096;

/** Collaborators of {@link createClusterKey}. */
export interface ClusterKeyCollaborators extends Pick<Runtime, "clock" | "log"> {
  readonly router: {
    /** This node's peer id. */
    readonly id: string;
    /** Called when the keys change, if the router was created with keys. */
    replaceSecrets(keys: readonly string[]): void;
  };
  readonly stack: StopStack;
}

/**
 * Reads the cluster keys; undefined if no file is configured.
 *
 * @throws {ConfigError} if the file cannot be read or has no valid key; it holds no key.
 */
export async function readClusterKeys(
  { clusterKeyFile }: Config,
): Promise<readonly string[] | undefined> {
  if (clusterKeyFile === undefined) return undefined;
  try {
    return await readKeys(clusterKeyFile);
  } catch (error) {
    throw new ConfigError(
      `--cluster-key-file: got ${JSON.stringify(clusterKeyFile)}, want a file with a key such as ` +
        `eddy keygen prints (${messageOf(error)})`,
    );
  }
}

/** Creates the authentication between nodes, if there are keys, and rereads their file. */
export function createClusterKey(
  keys: readonly string[] | undefined,
  { clusterKeyFile, dhtClosed, privateImages }: Config,
  { router, clock, log, stack }: ClusterKeyCollaborators,
): ClusterKey | undefined {
  if (keys === undefined || clusterKeyFile === undefined) {
    if (!privateImages.includes("share")) {
      log.info("no cluster key: private images are not served to other nodes", {
        fix: "--cluster-key-file",
      });
    }
    return undefined;
  }
  const addresses = () => Deno.networkInterfaces().map(({ address }) => address);
  const key = new ClusterKey(keys, { clock, log }, { self: router.id, addresses });
  const place = { path: clusterKeyFile, keys };
  const stop = followClusterKeys(place, { clock, log }, (keys) => {
    key.replace(keys);
    if (dhtClosed) router.replaceSecrets(keys);
  });
  stack.push("cluster key", stop);
  return key;
}

/** @returns a function that stops it. */
function followClusterKeys(
  { path, keys }: { readonly path: string; readonly keys: readonly string[] },
  { clock, log }: Pick<Runtime, "clock" | "log">,
  onKeys: (keys: readonly string[]) => void,
): () => Promise<void> {
  let last = keys.join("\n");
  const file = new ReloadingFile(clock, {
    read: async () => {
      const keys = await readKeys(path);
      const text = keys.join("\n");
      if (text === last) return;
      log.info("there are other cluster keys");
      onKeys(keys);
      last = text;
    },
    onProblem: (reason) =>
      log.warn("cluster keys cannot be read, the last ones stay in force", { path, reason }),
  });
  return file.follow((error) => log.error("cluster keys are no longer reread", { error }));
}

async function readKeys(path: string): Promise<string[]> {
  return parseClusterKeys(await readSmallFile(path, MAX_BYTES));
}
