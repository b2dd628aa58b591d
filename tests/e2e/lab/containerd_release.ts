/** A containerd to test against. */
export interface ContainerdRelease {
  /** For test names: `1.6` or `2.x`. */
  readonly name: "1.6" | "2.x";
  /** Directory that holds `containerd` and `ctr`. */
  readonly directory: string;
}

/**
 * The two releases: Debian's 1.6 (`EDDY_TEST_CONTAINERD1`, default `/usr/bin`) and the newest 2.x
 * (`EDDY_TEST_CONTAINERD2`, default `eddy/bin` in the user's cache directory).
 */
export function containerdReleases(): { old: ContainerdRelease; current: ContainerdRelease } {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return {
    old: { name: "1.6", directory: Deno.env.get("EDDY_TEST_CONTAINERD1") ?? "/usr/bin" },
    current: {
      name: "2.x",
      directory: Deno.env.get("EDDY_TEST_CONTAINERD2") ?? `${cache}/eddy/bin`,
    },
  };
}
