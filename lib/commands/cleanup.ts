import type { Config } from "../config/options.ts";
import { restoreConfiguration } from "../configurator/configure.ts";
import type { ListenAddress } from "../config/types.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { diffConfiguration } from "../configurator/diff_configuration.ts";
import { planRestore } from "../configurator/plan_restore.ts";
import { createLog } from "../observability/log.ts";
import { listChanges, report } from "./configure.ts";
import { startHttpServer } from "../agent/http_server.ts";
import type { CommandIo } from "./io.ts";
import { placesToRestore } from "./places_to_restore.ts";
import { findData, removeData } from "./remove_data.ts";
import { messageOf } from "../async/thrown.ts";
import { endLayerLeases } from "../agent/end_layer_leases.ts";
import { registryConfigPath } from "../agent/registry_config_path.ts";

/**
 * Restores containerd's registry configuration, or prints what that would change: in the configured
 * directory, else in all that Eddy changed, even if containerd no longer runs. Removes what Eddy
 * keeps in its data directory, if that is named.
 */
export async function cleanupCommand(config: Config, io: CommandIo): Promise<number> {
  const collaborators = { fileSystem: denoFileSystem };
  if (config.dryRun) {
    for (const configPath of await pathsOf(config)) {
      report(await planRestore(collaborators, { configPath }), io, diffConfiguration);
    }
    for (const file of await dataOf(config, findData)) io.stdout(`remove ${file}\n`);
    await endLeases(config, io, (names) => `would end the lease ${names}`);
    return 0;
  }
  await restoreAll(config, io);
  if (config.addr !== undefined) await answerProbes(config, config.addr, io);
  return 0;
}

/** @returns whether there was anything to restore. */
async function restoreAll(config: Config, io: CommandIo): Promise<boolean> {
  let changed = false;
  for (const configPath of await pathsOf(config)) {
    const plan = await restoreConfiguration({ fileSystem: denoFileSystem }, { configPath });
    changed ||= plan.steps.length > 0;
    report(plan, io, listChanges);
  }
  const removed = await dataOf(config, removeData);
  for (const file of removed) io.stdout(`removed ${file}\n`);
  const ended = await endLeases(config, io, (names) => `ended the lease ${names}`);
  return changed || ended || removed.length > 0;
}

async function dataOf(
  { dataDir }: Config,
  list: (directory: string) => Promise<string[]>,
): Promise<string[]> {
  return dataDir ? await list(dataDir) : [];
}

/**
 * Ends the leases that keep layers, or says that it cannot: they end by themselves.
 *
 * @returns whether there were any.
 */
async function endLeases(
  config: Config,
  { signal, stdout, stderr }: CommandIo,
  says: (names: string) => string,
): Promise<boolean> {
  try {
    const names = await endLayerLeases(config, { signal, dryRun: config.dryRun });
    if (names.length > 0) stdout(`${says(names.join(", "))}\n`);
    return names.length > 0;
  } catch (error) {
    signal.throwIfAborted();
    stderr(`warning: layers may be kept until their lease ends: ${messageOf(error)}\n`);
    return false;
  }
}

/**
 * Serves `/readyz`, which says whether this node is restored, until the signal aborts. Each probe
 * checks again: an agent that still runs would put its configuration back.
 *
 * @throws {ListenError}
 */
async function answerProbes(config: Config, addr: ListenAddress, io: CommandIo): Promise<void> {
  const { signal, stderr } = io;
  const log = createLog({ level: "warn", write: stderr });
  const quiet = { ...io, stdout: () => {} };
  let last: Promise<boolean> = Promise.resolve(true);
  const isDone = () => {
    last = last.then(async () => !await restoreAll(config, quiet)).catch((error) => {
      log.warn("registry configuration cannot be restored", { error });
      return false;
    });
    return last;
  };
  const fetch = async ({ method, url }: Request) => {
    const known = (method === "GET" || method === "HEAD") && /^[^?]*\/readyz(\?|$)/.test(url);
    return new Response(null, { status: known ? await isDone() ? 200 : 503 : 404 });
  };
  const server = startHttpServer({ fetch, log }, addr);
  stderr(`done, answering /readyz on ${server.address} until told to stop\n`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await server.shutdown(1000);
}

async function pathsOf(config: Config): Promise<readonly string[]> {
  if (config.containerdRegistryConfigPath) return [config.containerdRegistryConfigPath];
  const places = await placesToRestore({ root: "/", named: [] });
  return places.length > 0 ? places.map(({ path }) => path) : [await registryConfigPath(config)];
}
