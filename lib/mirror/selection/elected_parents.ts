import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import type { AssignmentOutcome } from "../../ports/mirror.ts";
import type { Assignment, Elections } from "../../ports/rollout.ts";

/** What {@link ElectedParents} works with. */
export interface ElectedParentsCollaborators {
  readonly elections: Elections;
  readonly clock: Pick<Clock, "now">;
}

/** What is to be got. */
export interface ElectedParentsOptions {
  readonly key: string;
  /** So little that one node can send it to all. */
  readonly small: boolean;
}

/** So long after the first was named nobody else is: going upstream is better than to look on, ms. */
const NAMING_MS = 300;

/**
 * Names nodes to which content is on its way, one after the other: who is asked for the next has
 * found that the one before is of no use.
 */
export class ElectedParents {
  readonly #collaborators: ElectedParentsCollaborators;
  readonly #options: ElectedParentsOptions;
  #failed: string | undefined;
  /** Infinity until somebody is named: how long that may take is up to those who are asked. */
  #until = Infinity;
  #slow = false;
  #over = false;
  #elected = false;
  #outcome: AssignmentOutcome | undefined;

  constructor(collaborators: ElectedParentsCollaborators, options: ElectedParentsOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** Whether this node is to get it from upstream. */
  get elected(): boolean {
    return this.#elected;
  }

  /** Why this node goes upstream; undefined as long as it need not. */
  get outcome(): AssignmentOutcome | undefined {
    return this.#outcome;
  }

  /** Whether anybody was named yet. */
  get named(): boolean {
    return this.#failed !== undefined;
  }

  /** The next; undefined if this node is to get it from upstream, or enough time has been spent. */
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
   * A body broke, or stood still or was slow: there is time again to look for somebody else.
   *
   * @param slow the peer named last gets on, and is stayed with if nobody is better.
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
