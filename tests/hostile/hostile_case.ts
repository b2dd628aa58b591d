/** What is done to an agent, and what comes of it. */
export interface HostileCase {
  readonly what: string;
  /** With a cluster key, and without one. */
  readonly withKey: string;
  readonly without: string;
}
