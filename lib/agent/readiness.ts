/** What an agent's readiness depends on. */
export interface ReadinessCollaborators {
  readonly advertiser: { readonly synced: boolean };
  readonly router: { ready(): boolean; deaf(): boolean };
}

/** Knows whether an agent can do its work, and what it lacks. */
export class Readiness {
  readonly #collaborators: ReadinessCollaborators;
  readonly #listeners = new Set<{ deaf(): boolean }>();
  #configured = false;

  constructor(collaborators: ReadinessCollaborators) {
    this.#collaborators = collaborators;
    this.#listeners.add(collaborators.router);
  }

  /** What has to be so, and whether it is. */
  readonly conditions = () => {
    const { advertiser, router } = this.#collaborators;
    const hears = [...this.#listeners].every((listener) => !listener.deaf());
    return [
      { name: "mirror configuration", met: this.#configured },
      { name: "the list of images", met: advertiser.synced },
      { name: "a look for peers", met: router.ready() },
      { name: "connections are accepted", met: hears },
    ];
  };

  /** Whether everything is as it has to be. */
  readonly ready = () => this.conditions().every(({ met }) => met);

  /** The mirror configuration is in place. */
  configured(): void {
    this.#configured = true;
  }

  /** Notes a listener: the agent is not ready while it is deaf. */
  listens(listener: { deaf(): boolean }): void {
    this.#listeners.add(listener);
  }
}
