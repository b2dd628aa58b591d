/** What an attacker tries, and what comes of it. */
export interface Attempt {
  readonly what: string;
  /** With a cluster key, and without one. */
  readonly withKey: string;
  readonly without: string;
}

const NO_TOKEN = "there is no token";
const NOTHING = "404";

/**
 * What an attacker in the cluster's network tries who knows no key: each is made end to end, and the
 * table of docs/security.md is this list.
 */
export const ATTEMPTS = {
  peer: {
    what: "Asks a node for a private tag, manifest or layer as if it were a node",
    withKey: NOTHING,
    without: NOTHING,
  },
  authorization: {
    what: "The same with a made-up `Authorization`, and with a pull secret that upstream accepts",
    withKey: NOTHING,
    without: NOTHING,
  },
  forged: {
    what: "The same with a forged token: unsigned, signed with another key",
    withKey: NOTHING,
    without: NOTHING,
  },
  digest: {
    what: "Asks for a private layer by digest under the name of a public image, or of none",
    withKey: NOTHING,
    without: NOTHING,
  },
  open: {
    what: "Asks for a public image, not as a node",
    withKey: NOTHING,
    without: "200: it is public",
  },
  own: {
    what: "Has itself asked by a node, and shows the token that it gets to nodes",
    withKey: NOTHING,
    without: NO_TOKEN,
  },
  relay: {
    what: "Has the index name it in another node's place, and hands the token on to that node",
    withKey: NOTHING,
    without: NO_TOKEN,
  },
  replay: {
    what:
      "Repeats a token that it saw on the way: again, for another path, method or node, too late",
    withKey: NOTHING,
    without: NO_TOKEN,
  },
  bait: {
    what: "Is named as a holder and answers nodes with 401 and a challenge",
    withKey: "no credentials; the client sees 404",
    without: "no credentials; the client sees 404",
  },
  borrowed: {
    what: "Runs a registry that asks for the credentials that the node has for another",
    withKey: "no credentials",
    without: "no credentials",
  },
  realm: {
    what: "Runs a registry whose token server is on the node itself, or a metadata service",
    withKey: "not asked",
    without: "not asked",
  },
  named: {
    what: "Is named as the holder of a private image",
    withKey: "whoever may have it gets it; no credentials",
    without: "whoever may have it gets it; no credentials",
  },
  flag: {
    what: "Is named as the holder of a public image, and says that it is private",
    withKey: "the right image, no credentials",
    without: "the right image, no credentials",
  },
  tag: {
    what: "Is named as the holder of a tag, and has an image of its own for it",
    withKey: "the right image",
    without: "the right image",
  },
  rubbish: {
    what: "Is named as the holder of a public image, and sends rubbish",
    withKey: "the right image; it is shunned",
    without: "the right image; it is shunned",
  },
  newer: {
    what: "While upstream is away, says of a tag that a node has that its own image is newer",
    withKey: "the node's image",
    without: "the node's image",
  },
  outage: {
    what: "The same for a tag that no node has",
    withKey: NOTHING,
    without: NOTHING,
  },
} as const satisfies Readonly<Record<string, Attempt>>;

/** The list as a table in Markdown. */
export function formatAttempts(): string {
  const rows = Object.values(ATTEMPTS).map(({ what, withKey, without }) =>
    `| ${what} | ${withKey} | ${without} |`
  );
  return ["| Attempt | With a cluster key | Without |", "| --- | --- | --- |", ...rows].join("\n");
}
