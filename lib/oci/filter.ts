import { formatReference, type Reference } from "./reference.ts";

/** A pattern of image names. */
export interface NamePattern {
  /** Tells whether the pattern matches anywhere in the name. */
  test(name: string): boolean;
}

export interface ReferenceFilterOptions {
  /** Mirrored registry hosts; empty, or with `_default` or `*` among them, for all. */
  mirroredRegistries: readonly string[];
  /** References that match any of these are neither served nor advertised. */
  registryFilters: readonly NamePattern[];
  /** False: references by tag are neither resolved nor advertised. Digests are not affected. */
  resolveTags: boolean;
  /** False: the same for the tag `latest` alone. */
  resolveLatestTag: boolean;
}

/** A reference to be filtered. */
export interface FilteredReference extends Reference {
  /** The registry may have a port that is not known. */
  readonly portless?: boolean;
}

/** Tells whether a reference may be served and advertised. */
export type ReferenceFilter = (reference: FilteredReference) => boolean;

/** Tells whether a name stands for all registries, like containerd's folder and Spegel's flag. */
export function isWildcardRegistry(name: string): boolean {
  return name === "_default" || name === "*";
}

/**
 * Makes the filter for requests and advertisements alike, so that the two always agree. A reference
 * without a registry (a digest requested by a peer that names none) passes unless a pattern
 * matches; one whose port is unknown passes only if there is no filter by name.
 */
export function createReferenceFilter(options: ReferenceFilterOptions): ReferenceFilter {
  const all = options.mirroredRegistries.some(isWildcardRegistry);
  const mirrored = new Set(all ? [] : options.mirroredRegistries);
  const filters = options.registryFilters;
  return (reference) => {
    if (reference.portless === true && mirrored.size + filters.length > 0) return false;
    if (mirrored.size > 0 && reference.registry !== "" && !mirrored.has(reference.registry)) {
      return false;
    }
    if (reference.digest === undefined) {
      if (!options.resolveTags) return false;
      if (!options.resolveLatestTag && reference.tag === "latest") return false;
    }
    const { registry, repository, tag } = reference;
    // Spegel matches names without a digest, so `^docker\.io/app$` covers its digests as well.
    const names = [
      formatReference(reference),
      formatReference({ registry, repository, ...(tag === undefined ? {} : { tag }) }),
    ];
    return !filters.some((pattern) => names.some((name) => pattern.test(name)));
  };
}
