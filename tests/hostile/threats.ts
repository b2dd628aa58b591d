import type { ATTEMPTS } from "../e2e/lab/attacker/attempts.ts";
import type { CaseName } from "./cases.ts";

/** Something that may be tried, what Eddy does about it, and the cases that prove it. */
export interface Threat {
  readonly threat: string;
  readonly answer: string;
  readonly cases: readonly (CaseName | keyof typeof ATTEMPTS)[];
}

/** The threat table of docs/security.md. */
export const THREATS: readonly Threat[] = [
  {
    threat: "A pod asks a node for a private image",
    answer: "Upstream decides about its credentials; only local clients are asked for them.",
    cases: ["authorization"],
  },
  {
    threat: "A pod pretends to be a node (`x-spegel-mirrored`)",
    answer: "That header proves nothing: private content needs a token made with the cluster key.",
    cases: ["peer", "forged"],
  },
  {
    threat: "A token is seen on the way and sent again",
    answer:
      "It is good for one request to one node, for 30 s (and 60 s more for clocks that differ), and " +
      "not after a restart of that node.",
    cases: ["replay", "own", "tokenAfterRestart"],
  },
  {
    threat: "The index names an attacker in a node's place",
    answer: "The token names the address that it was sent to: handed on to the node it is refused.",
    cases: ["relay"],
  },
  {
    threat: "The index names an attacker for a tag",
    answer:
      "Upstream says what it means; without it nodes that prove to have the key, or, without a " +
      "key, whom bootstrap names.",
    cases: ["tag", "newer", "outage"],
  },
  {
    threat: "A private blob is asked for by digest under another name",
    answer: "Served only where upstream says that the content is in that repository.",
    cases: ["digest", "open"],
  },
  {
    threat: "A node does not know yet that a repository is private",
    answer:
      "The peer that has it says so (`x-eddy-private`); upstream is asked, and without an answer " +
      "it is denied.",
    cases: ["named"],
  },
  {
    threat: "An image was pulled before Eddy, or past it",
    answer:
      "What is not known to be public is asked about upstream, and goes to no pod and no node " +
      "without the key until then.",
    cases: ["pulledBefore", "pulledPast", "pulledUnheard", "pulledPortless"],
  },
  {
    threat: "Tags or referrers of a private repository are asked for",
    answer:
      "Told as manifests are: an entry to whoever may have its manifest, and only if it may also " +
      "know what is in the repository.",
    cases: ["listedSecrets"],
  },
  {
    threat: "A registry's gateway answers whom it does not know with something else than an error",
    answer: "A status is no proof: what fits into 1 MiB is hashed, and a page is no content.",
    cases: ["loginPage"],
  },
  {
    threat: "A node is made to forget what is private",
    answer: "What is known of held content is out of reach of requests, however many.",
    cases: ["clientNames", "crowdedDigest", "manifestFlood"],
  },
  {
    threat: "A pod makes a node ask registries for it",
    answer: "Upstream is asked for clients of the node, and about what the node holds.",
    cases: ["strangerNames"],
  },
  {
    threat: "A peer lies about that",
    answer:
      "Nothing is remembered of its word; other peers are asked: it costs its own answer and one " +
      "question.",
    cases: ["flag"],
  },
  {
    threat: "A peer or a registry asks for credentials",
    answer:
      "Peers get none; a registry gets those that are meant for it, never those of the mirror " +
      "itself.",
    cases: ["bait", "borrowed", "ownPassword"],
  },
  {
    threat: "A header of `hosts.toml` opens a registry to the question that stands for anybody",
    answer:
      "That question carries none of them: what only they open is private, and for clients on the " +
      "node.",
    cases: ["headerOnly"],
  },
  {
    threat: "A record in the index names an attacker, who sends rubbish",
    answer: "Bytes are hashed, the attacker is shunned, the transfer goes on elsewhere.",
    cases: ["rubbish"],
  },
  {
    threat: "A peer's disk flips a bit",
    answer: "What fits into memory is verified before anything of it is passed on: the pull goes " +
      "on elsewhere. What does not costs one attempt; the next gets it verified or from upstream.",
    cases: ["bitRot", "bitRotAway", "bitRotLarge", "bitRotLargeAway"],
  },
  {
    threat: "A liar comes back under ever new peer ids",
    answer: "What is shunned is its address and port.",
    cases: ["freshIds", "freshIdsLarge"],
  },
  {
    threat: "A liar sends a part and closes, so that an honest node is blamed with it",
    answer: "Of several nobody is blamed before single transfers, or a comparison with the right " +
      "bytes, tell who it was.",
    cases: ["hitAndRun", "hitAndRunLarge", "hitAndRunAway"],
  },
  {
    threat: "A liar says that its copy still arrives, or meets a client that asks for parts",
    answer:
      "What is hashed in the end tells: an attempt fails at most, and the next gets the layer " +
      "from whoever is honest.",
    cases: ["saysArriving", "inParts"],
  },
  {
    threat: "A node goes on with such a copy",
    answer:
      "Whoever gets the wrong bytes says so; the node reads its copy again, and serves it to nobody " +
      "until it is replaced.",
    cases: ["damagedCopy"],
  },
  {
    threat: "Somebody says so of what is right",
    answer: "It is read again once in a while, slowly, and whoever was wrong is not heard again.",
    cases: ["falseDoubts"],
  },
  {
    threat: "Several clients of a node want at once what one peer has",
    answer: "They share it if it is small; else the peer is asked for each, within its bounds.",
    cases: ["sixClients", "twoNamespaces"],
  },
  {
    threat: "A registry sends the agent to loopback or metadata services",
    answer:
      "Not followed, unless that very host is configured as the registry; connections go to the " +
      "address that was looked at.",
    cases: ["realm", "rebindingToken"],
  },
  {
    threat: "A request names something on the node itself as the registry",
    answer:
      "Not asked, unless the node's own configuration names it; why there is nothing is told to " +
      "clients on the node and to nodes only.",
    cases: ["loopbackNames", "rebindingRegistry", "reasons"],
  },
  {
    threat: "A pod reads the debug pages",
    answer:
      "Names, digests and measurements of what is not known to be public are for clients on the " +
      "node and for whoever shows the credentials of `--basic-auth-dir`.",
    cases: ["pageNames", "pageHeaders", "pageMeasure"],
  },
  {
    threat: "Somebody opens connections and holds them, silent or with heads that never end",
    answer:
      "Each address has its share, clients on the node have places of their own, heads have ten " +
      "seconds; where files run out all the same, listeners wait and go on, and `/readyz` says so.",
    cases: ["connectionFlood", "fewFiles"],
  },
  {
    threat: "The same with TLS handshakes that stop in the middle",
    answer:
      "The runtime cannot cancel them, so their number is bounded; at the bound, connections come " +
      "through a gate, where whoever has not finished a handshake gives way to others.",
    cases: ["stoppedHandshakes"],
  },
  {
    threat: "Somebody asks for a layer and does not read it",
    answer: "Whoever reads less than 64 KiB in 30 s is cut off, and the next gets its turn.",
    cases: ["stalledReader"],
  },
  {
    threat: "The same with many large manifests, which are sent from memory",
    answer:
      "At most 24 MiB of responses wait in memory; whoever has read nothing for longest is cut off.",
    cases: ["unreadManifests"],
  },
  {
    threat: "A local user puts code where root's program would load it",
    answer: "Compiled code is cached nowhere; the program opens nothing in shared directories.",
    cases: ["codeCache"],
  },
  {
    threat: "A power loss, or an edit of a file that Eddy wrote",
    answer:
      "Files are old or new, whole; what cannot be read permits nothing; an edit is merged into " +
      "what is kept.",
    cases: ["tornList", "hiddenHost"],
  },
];

/** The threats as a table in Markdown. */
export function formatThreats(): string {
  const rows = THREATS.map(({ threat, answer, cases }) =>
    `| ${threat} | ${answer} | ${cases.map((name) => `\`${name}\``).join(", ")} |`
  );
  return ["| Threat | Answer | Proved by |", "| --- | --- | --- |", ...rows].join("\n");
}
