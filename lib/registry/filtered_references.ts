import type { Digest } from "../oci/digest.ts";
import type { OciError } from "../oci/error.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import { byDigest, type DistributionPath } from "../oci/path.ts";
import type { Metrics } from "../ports/metrics.ts";
import { unknownContent } from "./answer.ts";
import type { RequestContext } from "./request_context.ts";

/** Applies the filter of references to requests. */
export class FilteredReferences {
  readonly #filter: ReferenceFilter;
  readonly #metrics: Pick<Metrics, "mirrorRequest">;

  constructor(filter: ReferenceFilter, metrics: Pick<Metrics, "mirrorRequest">) {
    this.#filter = filter;
    this.#metrics = metrics;
  }

  /**
   * Tells whether a path may be served.
   *
   * @param digest of the content that is served for it; default: the path's own reference counts.
   */
  allows(path: DistributionPath, digest?: Digest): boolean {
    return this.#filter(digest === undefined ? path.reference : byDigest(path, digest).reference);
  }

  /** The answer to a request that the filter forbids. */
  refusal(path: DistributionPath, context: RequestContext): OciError {
    const { registry } = path.reference;
    if (!context.fromOutside) this.#metrics.mirrorRequest(registry, "miss", "filtered");
    context.reason = "filtered";
    return unknownContent(path, { reason: "filtered" });
  }
}
