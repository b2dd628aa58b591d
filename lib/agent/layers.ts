import { inBackground } from "../async/in_background.ts";
import type { Config } from "../config/options.ts";
import { diskSpace } from "../files/disk_space.ts";
import { DiskLimits } from "../layers/disk_limits.ts";
import { LayerKeeper } from "../layers/layer_keeper.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import type { OpenStore } from "./open_store.ts";
import type { StopStack } from "./stop_stack.ts";

/** Collaborators of {@link composeLayers}. */
export interface LayersCollaborators extends Runtime {
  readonly store: Store;
  readonly stack: StopStack;
}

/** Keeps layers that the runtime would discard; undefined: it discards none. */
export function composeLayers(
  { keepLayersMax, keepLayersMinFree }: Config,
  { leases, contentPath, arrivals }: Pick<OpenStore, "leases" | "contentPath" | "arrivals">,
  { store, stack, ...runtime }: LayersCollaborators,
): LayerKeeper | undefined {
  const { log } = runtime;
  if (leases === undefined) return undefined;
  const limits = new DiskLimits(
    { log, space: contentPath === undefined ? undefined : () => diskSpace(contentPath) },
    { maxBytes: keepLayersMax, minFreeShare: keepLayersMinFree / 100 },
  );
  log.info("a lease keeps layers, which containerd would discard once they are unpacked", {
    lifetimeMs: leases.lifetimeMs,
  });
  const keeper = new LayerKeeper({ ...runtime, leases, store, arrivals, limits });
  stack.push(
    "layers",
    inBackground(
      (options) => keeper.run(options),
      (error) => log.error("layers are no longer kept", { error }),
    ),
  );
  return keeper;
}
