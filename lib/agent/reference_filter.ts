import { ConfigError } from "../config/config_error.ts";
import type { Config } from "../config/options.ts";
import { registryHost } from "../config/types.ts";
import { messageOf } from "../async/thrown.ts";
import { createReferenceFilter, type NamePattern, type ReferenceFilter } from "../oci/filter.ts";

/**
 * The filter of `--mirrored-registries`, `--registry-filters` and the flags for tags.
 *
 * @throws {ConfigError} if an expression is not valid.
 */
export async function referenceFilterOf(
  config: Pick<
    Config,
    "mirroredRegistries" | "registryFilters" | "resolveTags" | "resolveLatestTag"
  >,
): Promise<ReferenceFilter> {
  const mirroredRegistries = config.mirroredRegistries.map(registryHost);
  const registryFilters = await compile(config.registryFilters);
  return createReferenceFilter({ ...config, mirroredRegistries, registryFilters });
}

/**
 * Expressions as Go reads them: JavaScript takes `\A`, `\Q…\E` or `[[:alpha:]]` for something else,
 * and would match nothing. RE2 also takes linear time, whatever the expression.
 */
async function compile(expressions: readonly string[]): Promise<NamePattern[]> {
  // Loaded only where it is needed: it costs 20 ms and 5 MB.
  if (expressions.length === 0) return [];
  const { RE2JS } = await import("re2js");
  return expressions.map((expression) => {
    try {
      const compiled = RE2JS.compile(expression);
      return { test: (name) => compiled.matcher(name).find() };
    } catch (error) {
      const got = JSON.stringify(expression);
      throw new ConfigError(
        `--registry-filters: got ${got}, want a regular expression in Go's syntax: ` +
          messageOf(error),
      );
    }
  });
}
