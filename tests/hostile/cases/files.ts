import type { HostileCase } from "../hostile_case.ts";

export const FILES = {
  codeCache: {
    what: "A local user takes the place in the temporary directory from which code was loaded",
    withKey: "not opened; nothing is left there",
    without: "not opened; nothing is left there",
  },
  hiddenHost: {
    what: "A user edits `hosts.toml` twice under `--prepend-existing=false`, then cleans up",
    withKey: "all hosts and their headers are back",
    without: "all hosts and their headers are back",
  },
  tornList: {
    what: "A power loss leaves the list of private repositories empty or cut off; upstream is away",
    withKey: "404",
    without: "404",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
