import type { HostileCase } from "../hostile_case.ts";

export const SHARING = {
  sixClients: {
    what: "Six clients of a node ask at once for a blob that one peer has, or for a part of it",
    withKey: "200 for all, and the right bytes",
    without: "200 for all, and the right bytes",
  },
  twoNamespaces: {
    what:
      "Two namespaces of containerd pull an image at once that one peer has, while upstream is away",
    withKey: "both have it",
    without: "both have it",
  },
  damagedCopy: {
    what: "A bit of a layer flips on the disk of the only node that has it, and another node asks",
    withKey: "withdrawn: 404 for nodes and for its own clients; 200 once it is replaced",
    without: "withdrawn: 404 for nodes and for its own clients; 200 once it is replaced",
  },
  tokenAfterRestart: {
    what: "Shows a token once more after the node that took it has restarted",
    withKey: "404",
    without: "there is no token",
  },
  falseDoubts: {
    what: "Tells a node hundreds of times that copies of its are wrong, which they are not",
    withKey: "served on; read again once",
    without: "served on; read again once",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
