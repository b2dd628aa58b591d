import type { Config } from "../config/options.ts";
import { restoreConfiguration } from "../configurator/configure.ts";
import type { ListenAddress } from "../config/types.ts";
import { denoFileSystem } from "../configurator/deno_file_system.ts";
import { diffConfiguration } from "../configurator/diff_configuration.ts";
import { planRestore } from "../configurator/plan_restore.ts";
import { createLog } from "../observability/log.ts";
import { listChanges, report } from "./configure.ts";
import { startHttpServer } from "./http_server.ts";
import type { CommandIo } from "./io.ts";
import { placesToRestore } from "./places_to_restore.ts";
import { registryConfigPath } from "./registry_config_path.ts";

/**
 * Restores containerd's registry configuration, or shows what that would change: in the directory that
 * is named, else wherever Eddy changed it, even where containerd does not run any more.
 */
export async function cleanupCommand(config: Config, io: CommandIo): Promise<number> {
  const collaborators = { fileSystem: denoFileSystem };
  for (const configPath of await pathsOf(config)) {
    const options = { configPath };
    if (config.dryRun) {
      report(await planRestore(collaborators, options), io, diffConfiguration);
    } else {
      report(await restoreConfiguration(collaborators, options), io, listChanges);
    }
  }
  if (config.addr !== undefined && !config.dryRun) await answerProbes(config.addr, io);
  return 0;
}

/** Says that this node is done, until told to stop. @throws {ListenError} */
async function answerProbes(addr: ListenAddress, { signal, stderr }: CommandIo): Promise<void> {
  const log = createLog({ level: "warn", write: stderr });
  const fetch = ({ method, url }: Request) => {
    const ready = (method === "GET" || method === "HEAD") && /^[^?]*\/readyz(\?|$)/.test(url);
    return new Response(null, { status: ready ? 200 : 404 });
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
