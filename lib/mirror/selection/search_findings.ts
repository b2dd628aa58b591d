import type { MissReason } from "../../ports/mirror.ts";
import type { Verdict } from "../http/answer.ts";
import type { Candidates } from "./candidates.ts";

/** The results of a search's questions to peers, from which the reason of a miss follows. */
export class SearchFindings {
  /** Peers that were asked. */
  attempts = 0;
  /** Answers that could not be used, though they were not wrong. */
  refused = 0;
  /** Wrong contents. */
  lies = 0;
  /** Whether a peer is too busy, and no other is left. */
  isBusy = false;
  /** Peers whose answers were put aside: a proven peer may have the content. */
  readonly strangers = new Set<string>();
  /** Peers that have the content in another size. */
  readonly resized = new Set<string>();
  readonly #sizes = new Set<number>();

  /** The content's size, if all peers that answered that the range is outside of it agree on it. */
  get unsatisfiableSize(): number | undefined {
    return this.#sizes.size === 1 ? [...this.#sizes][0] : undefined;
  }

  /** Notes an answer that is no offer, of a peer that is not asked again. */
  add(id: string, verdict: Verdict): void {
    if (verdict.type === "stranger") this.strangers.add(id);
    else this.refused++;
    if (verdict.type === "resized") this.resized.add(id);
    if (verdict.type === "unsatisfiable") this.#sizes.add(verdict.size);
  }

  /**
   * Why nothing was found.
   *
   * @param strangers holders of a tag that were not asked, as they are not believed.
   */
  reason(
    candidates: Pick<Candidates, "found" | "searching" | "shunned">,
    strangers: number,
  ): MissReason {
    if (this.lies > 0) return "bad-content";
    if (this.isBusy) return "peers-busy";
    if (this.refused > 0) return "peers-refused";
    if (candidates.found === 0 && strangers > 0) return "peers-unnamed";
    if (candidates.found === 0) return candidates.searching ? "timeout" : "no-peer";
    return candidates.shunned && this.attempts === 0 ? "bad-content" : "peers-unreachable";
  }
}
