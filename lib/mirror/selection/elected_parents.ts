import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AssignmentOutcome } from "../../ports/mirror.ts";
import type { Assignment, Elections } from "../../ports/rollout.ts";

/** What {@link ElectedParents} works with. */
export interface ElectedParentsCollaborators {
  readonly elections: Elections;
  readonly clock: Pick<Clock, "now">;
}

/** The content to get. */
export interface ElectedParentsOptions {
  readonly key: string;
  /** Whether it is so small that one node can send it to all others. */
  readonly small: boolean;
}

/** How long after the first parent others are named, ms: then it is better to go upstream. */
const NAMING_MS = 300;

/**
 * Names nodes that are getting content, one after the other: the next one is asked for when the one
 * before cannot be used.
 */
export class ElectedParents {
  readonly #collaborators: ElectedParentsCollaborators;
  readonly #options: ElectedParentsOptions;
  #failed: string | undefined;
  /** Infinity until the first parent is named: the elections themselves limit that time. */
  #until = Infinity;
  #slow = false;
  #over = false;
  #elected = false;
  #outcome: AssignmentOutcome | undefined;

  constructor(collaborators: ElectedParentsCollaborators, options: ElectedParentsOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Whether this node is to get the content from upstream. */
  get elected(): boolean {
    return this.#elected;
  }

  /** Why this node goes upstream; undefined as long as it need not. */
  get outcome(): AssignmentOutcome | undefined {
    return this.#outcome;
  }

  /** Whether a parent was named. */
  get named(): boolean {
    return this.#failed !== undefined;
  }

  /** The next parent; undefined if this node is to get the content from upstream, or time is up. */
  async next(
    { signal }: Cancellable,
  ): Promise<Extract<Assignment, { type: "follow" }> | undefined> {
    const { elections, clock } = this.#collaborators;
    const { key, small } = this.#options;
    if (this.#over || clock.now() >= this.#until) {
      if (this.named && !this.#elected) {
        this.#outcome = "parents-refused";
        elections.gaveUp(key);
      }
      return undefined;
    }
    const slow = this.#slow;
    this.#slow = false;
    const turn = await elections.assign(key, { signal, small, failed: this.#failed, slow });
    const isSame = slow && turn?.type === "follow" && turn.peer.id === this.#failed;
    if (turn?.type !== "follow" || isSame) {
      this.#over = true;
      this.#elected = turn?.type === "fetch";
      if (!isSame) this.#outcome = outcomeOf(turn);
      return undefined;
    }
    if (this.#until === Infinity) this.#until = clock.now() + NAMING_MS;
    this.#failed = turn.peer.id;
    return turn;
  }

  /**
   * A body broke off, stalled or was slow: there is time again to look for another parent.
   *
   * @param slow the parent named last makes progress, and is kept if there is no better one.
   */
  renew({ slow }: { readonly slow: boolean }): void {
    this.#slow = slow;
    this.#over = this.#elected = false;
    this.#until = Infinity;
  }
}

function outcomeOf(turn: Assignment | undefined): AssignmentOutcome {
  if (turn === undefined) return "no-answer";
  return turn.type === "fetch" ? "elected" : "parents-refused";
}
