import type { ContentSource } from "../../ports/watcher.ts";
import { isRegistry, isRepository } from "../../oci/reference.ts";

/** Label that containerd puts on what it pulled: the repositories, by the registry's host. */
const LABEL = "containerd.io/distribution.source.";

/**
 * The repositories that content was pulled from. containerd leaves the port out of the host
 * (containerd, core/remotes/docker/handler.go).
 */
export function contentSources(labels: Readonly<Record<string, string>>): ContentSource[] {
  return Object.entries(labels).flatMap(([label, repositories]) => {
    if (!label.startsWith(LABEL)) return [];
    const registry = label.slice(LABEL.length);
    if (!isRegistry(registry)) return [];
    return repositories.split(",").filter(isRepository)
      .map((repository) => ({ registry, repository, portless: true }));
  });
}
