import { messageOf } from "../async/thrown.ts";
import type { UpstreamEndpoint } from "./endpoint.ts";
import { MisconfiguredError } from "./misconfigured_error.ts";

/**
 * The name of a repository on a server, by the first rule that changes it.
 *
 * Sources: docs.k3s.io/installation/private-registry, "Rewrites"; Go's regexp, ReplaceAllString.
 *
 * @throws {MisconfiguredError} for an invalid expression.
 */
export async function rewriteRepository(
  { url, rewrites = [] }: Pick<UpstreamEndpoint, "url" | "rewrites">,
  repository: string,
): Promise<string> {
  if (rewrites.length === 0) return repository;
  // Loaded on demand: it costs 20 ms and 5 MB.
  const { RE2JS } = await import("re2js");
  for (const [pattern, replacement] of rewrites) {
    try {
      const rewritten = replaceAll(RE2JS.compile(pattern).matcher(repository), {
        text: repository,
        replacement,
      });
      if (rewritten !== repository) return rewritten;
    } catch (error) {
      throw new MisconfiguredError(
        `rewrite ${JSON.stringify(pattern)} of ${new URL(url).host}: ${messageOf(error)}`,
        "correct the rule in registries.yaml",
      );
    }
  }
  return repository;
}

/** The used part of RE2's matcher. */
interface Matches {
  find(): boolean;
  start(): number;
  end(): number;
  group(group: number | string): string | null;
}

function replaceAll(
  matches: Matches,
  { text, replacement }: { readonly text: string; readonly replacement: string },
): string {
  let result = "";
  let last = 0;
  while (matches.find()) {
    const [start, end] = [matches.start(), matches.end()];
    // Go skips an empty match right after another match.
    if (end <= last && start !== 0) continue;
    result += text.slice(last, start) + expand(replacement, matches);
    last = end;
  }
  return result + text.slice(last);
}

/**
 * Expands `$1`, `${1}`, `$name`, `${name}` and `$$`; the longest name applies, unknown ones are
 * empty.
 */
function expand(replacement: string, matches: Matches): string {
  return replacement.replaceAll(
    /\$(?:(\$)|(\w+)|\{(\w+)\})/g,
    (_, dollar?: string, short?: string, long?: string) => {
      if (dollar !== undefined) return "$";
      const name = short ?? long ?? "";
      try {
        return matches.group(/^\d+$/.test(name) ? Number(name) : name) ?? "";
      } catch {
        return "";
      }
    },
  );
}
