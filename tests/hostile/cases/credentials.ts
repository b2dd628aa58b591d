import type { HostileCase } from "../hostile_case.ts";

export const CREDENTIALS = {
  ownPassword: {
    what:
      "Runs a registry that a pod names, and that asks a node with `--basic-auth-dir` for credentials",
    withKey: "asked, without any credentials",
    without: "asked, without any credentials",
  },
  headerOnly: {
    what:
      "Asks nodes for an image whose registry lets them in by a header of `hosts.toml` (`X-Api-Key`)",
    withKey: "404; a node's own client gets it",
    without: "404; a node's own client gets it",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
