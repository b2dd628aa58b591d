/** A generated set of keys, which need not be sent: `count` digests derived from a name. */
export interface KeySet {
  readonly name: string;
  readonly count: number;
}

/** Looks keys up on nodes in turn. */
export interface Lookups {
  readonly keys: readonly KeySet[];
  readonly nodes: readonly number[];
  readonly count: number;
  /** Deadline of one lookup, ms. */
  readonly limitMs: number;
  /** Pause between lookups, ms. */
  readonly gapMs?: number;
}

/** Commands of a worker. */
export type Command =
  | {
    readonly op: "start";
    readonly kind: "eddy" | "plain";
    readonly peers: readonly string[];
    /** One listening IP address per node. */
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

/** The keys of a set, in the form of digests like nearly all keys. */
export function keysOf({ name, count }: KeySet): string[] {
  const prefix = [...name].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return Array.from(
    { length: count },
    (_, i) => `sha256:${prefix.padEnd(56, "0")}${i.toString(16).padStart(8, "0")}`,
  );
}
