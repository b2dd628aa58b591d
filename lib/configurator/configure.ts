import { applyConfiguration } from "./apply_configuration.ts";
import { ConfiguratorError } from "./configurator_error.ts";
import type { ConfigurationPlan, ConfiguratorCollaborators } from "./plan.ts";
import { planConfiguration } from "./plan_configuration.ts";
import { planRestore, type RestoreOptions } from "./plan_restore.ts";
import type { ConfiguratorOptions } from "./settings.ts";

/** Attempts to plan while files change concurrently. */
const MAX_ATTEMPTS = 5;

/**
 * Makes containerd ask Eddy first: plans and applies, and starts again on a concurrent change.
 *
 * @returns the plan that was applied.
 * @throws {ConfiguratorError} as planning and applying do.
 */
export function configure(
  collaborators: ConfiguratorCollaborators,
  options: ConfiguratorOptions,
): Promise<ConfigurationPlan> {
  return carryOut(collaborators, () => planConfiguration(collaborators, options));
}

/**
 * Restores the configuration directory to its state before Eddy.
 *
 * @returns the plan that was applied.
 * @throws {ConfiguratorError} as planning and applying do.
 */
export function restoreConfiguration(
  collaborators: ConfiguratorCollaborators,
  options: RestoreOptions,
): Promise<ConfigurationPlan> {
  return carryOut(collaborators, () => planRestore(collaborators, options));
}

async function carryOut(
  collaborators: ConfiguratorCollaborators,
  makePlan: () => Promise<ConfigurationPlan>,
): Promise<ConfigurationPlan> {
  for (let attempt = 1;; attempt++) {
    const plan = await makePlan();
    try {
      await applyConfiguration(collaborators, plan);
      return plan;
    } catch (error) {
      const again = error instanceof ConfiguratorError && error.conflict && attempt < MAX_ATTEMPTS;
      if (!again) throw error;
    }
  }
}
