import type { ContentSource } from "../../ports/watcher.ts";
import { isRegistry, isRepository } from "../../oci/reference.ts";

/** Prefix of the labels with the repositories of pulled content, by registry host. */
const LABEL = "containerd.io/distribution.source.";

/**
 * The repositories that content was pulled from. containerd omits the port of the host (containerd,
 * core/remotes/docker/handler.go).
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
