export interface Settings {
  readonly quick: boolean;
  /** Samples per figure. */
  readonly runs: number;
  /** Groups to measure. */
  readonly groups: ReadonlySet<string>;
  /** Executable of Eddy. */
  readonly binary: string;
  /** Executable of the other system; undefined: Eddy alone. */
  readonly vs: string | undefined;
  /** Output directory of the JSON and SVG files. */
  readonly out: string;
}

const MIB = 1024 * 1024;

/** Sizes of layers, bytes, and durations, ms. */
export function amounts(quick: boolean) {
  return quick
    ? {
      one: 256 * MIB,
      four: 32 * MIB,
      eight: 32 * MIB,
      forty: 2 * MIB,
      limited: 64 * MIB,
      smallMs: 250,
      misses: 100,
    }
    : { one: 1e9, four: 250e6, eight: 125e6, forty: 5e6, limited: 1e9, smallMs: 2000, misses: 500 };
}

export const GROUPS = ["blobs", "small", "misses", "pulls", "footprint", "soak"] as const;

/**
 * Parses the arguments.
 *
 * @throws {Error} with the first invalid argument.
 */
export function parseSettings(args: readonly string[], root: string): Settings {
  const values = new Map<string, string>();
  const rest = [...args];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === "--quick") values.set(name, "");
    else if (/^--(vs|runs|only|binary|out)$/.test(name) && rest.length > 0) {
      values.set(name, rest.shift() ?? "");
    } else throw new Error(`${name} is not understood; want --quick, --vs, --runs, --only, --out`);
  }
  const runs = Number(values.get("--runs") ?? (values.has("--quick") ? 3 : 7));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is ${runs}, want 1 or more`);
  const usual = GROUPS.filter((group) => group !== "soak");
  const groups = values.get("--only")?.split(",") ?? usual;
  for (const group of groups) {
    if (!(GROUPS as readonly string[]).includes(group)) {
      throw new Error(`--only has ${group}, want any of ${GROUPS.join(", ")}`);
    }
  }
  return {
    quick: values.has("--quick"),
    runs,
    groups: new Set(groups),
    binary: values.get("--binary") ?? `${root}/dist/eddy`,
    vs: values.get("--vs"),
    out: values.get("--out") ?? `${root}/dist/bench`,
  };
}
