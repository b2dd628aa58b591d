/** Packages whose internals are used, with their pinned versions. */
export const PINNED = {
  "libp2p": "3.3.11",
  "@libp2p/kad-dht": "16.4.5",
  "@chainsafe/libp2p-noise": "17.0.0",
  "@chainsafe/libp2p-yamux": "8.0.1",
} as const;

/** Result of `typeof`. */
type MemberType = "function" | "object" | "string" | "number";

/**
 * Verifies that an object of a package has members that are not in its public types. Every user of
 * such members calls this when the router is created, so that an incompatible update fails at the
 * start and not during a pull.
 *
 * @throws {Error} with the package, the member and the pinned version.
 */
export function requireMembers(
  library: keyof typeof PINNED,
  target: unknown,
  members: Readonly<Record<string, MemberType>>,
): void {
  for (const [name, type] of Object.entries(members)) {
    const member: unknown = Reflect.get(Object(target), name);
    if (typeof member === type && member !== null) continue;
    throw new Error(
      `${library} has no member ${name} (${type}); the pinned version is ${PINNED[library]}`,
    );
  }
}
