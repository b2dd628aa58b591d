/** Keys that need not be sent: `count` digests made from a name. */
export interface KeySet {
  readonly name: string;
  readonly count: number;
}

/** Looks keys up on nodes in turn. */
export interface Lookups {
  readonly keys: readonly KeySet[];
  readonly nodes: readonly number[];
  readonly count: number;
  /** How long one may take. */
  readonly limitMs: number;
  /** Pause between two. */
  readonly gapMs?: number;
}

/** What a worker can be told. */
export type Command =
  | {
    readonly op: "start";
    readonly kind: "eddy" | "plain";
    readonly peers: readonly string[];
    /** IP address for each to listen on. */
    readonly addresses: readonly string[];
    readonly options: Readonly<Record<string, number>>;
  }
  | { readonly op: "connect"; readonly addresses: readonly string[] }
  | { readonly op: "meshed"; readonly peers: number }
  | {
    readonly op: "advertise";
    readonly keys: readonly KeySet[];
    readonly nodes: readonly number[];
  }
  | { readonly op: "untilRecords"; readonly count: number }
  | ({ readonly op: "lookups" } & Lookups)
  | { readonly op: "watch"; readonly keys: readonly KeySet[]; readonly dead: readonly string[] }
  | { readonly op: "serveBlob"; readonly bytes: number; readonly address: string }
  | {
    readonly op: "peers" | "records" | "watched" | "traffic" | "measureDelay" | "delay" | "memory";
  };

/** The keys of a set: the form of digests, as nearly all keys have. */
export function keysOf({ name, count }: KeySet): string[] {
  const prefix = [...name].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return Array.from(
    { length: count },
    (_, i) => `sha256:${prefix.padEnd(56, "0")}${i.toString(16).padStart(8, "0")}`,
  );
}
