import { applyConfiguration } from "./apply_configuration.ts";
import { ConfiguratorError } from "./configurator_error.ts";
import type { ConfigurationPlan, ConfiguratorCollaborators } from "./plan.ts";
import { planConfiguration } from "./plan_configuration.ts";
import { planRestore, type RestoreOptions } from "./plan_restore.ts";
import type { ConfiguratorOptions } from "./settings.ts";

/** How often planning starts again because files changed meanwhile. */
const MAX_ATTEMPTS = 5;

/**
 * Makes containerd ask Eddy first: plans and carries out, again if someone else writes at the same
 * time.
 *
 * @returns the plan that was carried out.
 * @throws {ConfiguratorError} as planning and carrying out do.
 */
export function configure(
  collaborators: ConfiguratorCollaborators,
  options: ConfiguratorOptions,
): Promise<ConfigurationPlan> {
  return carryOut(collaborators, () => planConfiguration(collaborators, options));
}

/**
 * Puts the configuration directory back to what it was before Eddy.
 *
 * @returns the plan that was carried out.
 * @throws {ConfiguratorError} as planning and carrying out do.
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
