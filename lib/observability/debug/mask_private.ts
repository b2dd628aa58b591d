import { parseDistributionPath } from "../../oci/path.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import type {
  AdvertisedContent,
  DebugSource,
  RequestEntry,
  RolloutView,
  Setting,
} from "./debug_source.ts";
import type { Check } from "../../ports/check.ts";
import { MeasureError } from "./measure_target.ts";

/** Tells whether a repository, such as `docker.io/library/nginx`, is public. */
export type IsPublic = (repository: string) => boolean;

/** Replaces the name of an image that is not known to be public. */
const MASKED = "a private image";
/** Options whose values may name images. */
const NAMING_FLAGS = new Set(["private-images", "registry-filters"]);

/**
 * Wraps a source so that names and digests of images that are not known to be public are masked.
 * Measuring is refused: it makes the node pull from peers on its own behalf.
 */
export function maskPrivate(source: DebugSource, isPublic: IsPublic): DebugSource {
  const known = (reference: Reference | undefined) =>
    reference !== undefined && isPublic(`${reference.registry}/${reference.repository}`);
  const isKnownImage = ({ image }: AdvertisedContent) =>
    image !== undefined && known(parseReference(image));
  const publicDigests = () =>
    new Set(source.advertised().filter(isKnownImage).flatMap(({ digests }) => digests));
  return {
    overview() {
      const { rollouts, unaskedRegistries, ...rest } = source.overview();
      const masked = unaskedRegistries.map((each) => ({ ...each, registry: "a registry" }));
      const overview = { ...rest, unaskedRegistries: masked };
      if (rollouts === undefined) return overview;
      const digests = publicDigests();
      return { ...overview, rollouts: rollouts.map((each) => maskRollout(each, digests)) };
    },
    advertised: () => source.advertised().map((each) => isKnownImage(each) ? each : HIDDEN),
    requests: () =>
      source.requests().map((each) => known(referenceOf(each)) ? each : maskRequest(each)),
    settings: () => source.settings().map(maskSetting),
    checks: async (options) => (await source.checks(options)).map(maskCheck),
    measure: () =>
      Promise.reject(
        new MeasureError(
          "measuring makes this node pull from peers: ask from the node itself, or with the " +
            "credentials of --basic-auth-dir",
          403,
        ),
      ),
  };
}

/** Its amount is visible in the overview. */
const HIDDEN: AdvertisedContent = { image: MASKED, tags: [], digests: [] };

function maskRollout(rollout: RolloutView, digests: ReadonlySet<string>): RolloutView {
  return digests.has(rollout.key) ? rollout : { ...rollout, key: MASKED };
}

/** The error may name the content. */
function maskRequest(entry: RequestEntry): RequestEntry {
  const error = entry.error === undefined ? undefined : "broken off";
  return { ...entry, path: MASKED, registry: undefined, error };
}

function maskSetting(setting: Setting): Setting {
  const names = NAMING_FLAGS.has(setting.flag) && !setting.isDefault;
  return names ? { ...setting, value: "[masked]" } : setting;
}

/** The findings name files, registries and images. */
function maskCheck({ name, state }: Check): Check {
  return { name, state, detail: "", fix: state === "ok" ? "" : "open this page on the node" };
}

/** The reference of a request; undefined if it cannot be parsed. */
function referenceOf({ path, registry }: RequestEntry): Reference | undefined {
  try {
    return parseDistributionPath(decodeURIComponent(path), registry)?.reference;
  } catch {
    return undefined;
  }
}
