/** Collaborators of {@link Readiness}. */
export interface ReadinessCollaborators {
  readonly advertiser: { readonly synced: boolean };
  readonly router: { ready(): boolean; deaf(): boolean };
  /** Undefined: nothing leaves open that containerd asks this agent. */
  readonly mirrorUse?: { readonly asked: boolean | undefined } | undefined;
}

/** The condition that containerd asks this agent, listed where that was open and was tried. */
export const MIRROR_USED = "requests of containerd";

/** The agent's readiness, and the conditions that it depends on. */
export class Readiness {
  readonly #collaborators: ReadinessCollaborators;
  readonly #listeners = new Set<{ deaf(): boolean }>();
  #configured = false;

  constructor(collaborators: ReadinessCollaborators) {
    this.#collaborators = collaborators;
    this.#listeners.add(collaborators.router);
  }

  /** The conditions of readiness, and whether each is met. */
  readonly conditions = () => {
    const { advertiser, router, mirrorUse } = this.#collaborators;
    const hears = [...this.#listeners].every((listener) => !listener.deaf());
    return [
      { name: "mirror configuration", met: this.#configured },
      { name: "the list of images", met: advertiser.synced },
      { name: "an answer of a peer", met: router.ready() },
      { name: "connections are accepted", met: hears },
      // What cannot be found out is not held against the node.
      ...(mirrorUse?.asked === undefined ? [] : [{ name: MIRROR_USED, met: mirrorUse.asked }]),
    ];
  };

  /** Whether all conditions are met. */
  readonly ready = () => this.conditions().every(({ met }) => met);

  /** Records that the mirror configuration is in place. */
  configured(): void {
    this.#configured = true;
  }

  /** Adds a listener: the agent is not ready while the listener is deaf. */
  listens(listener: { deaf(): boolean }): void {
    this.#listeners.add(listener);
  }
}
