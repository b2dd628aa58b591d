/** One request. */
export interface LoadJob {
  /** Path and query. */
  readonly path: string;
  /** `Range` header. */
  readonly range?: string;
}

/** What the load client does. */
export interface LoadPlan {
  /** IP address of the server. */
  readonly host: string;
  readonly port: number;
  /** Requests at the same time, each on a connection of its own that is kept. */
  readonly connections: number;
  /** Each is done once; with `durationMs` or `requests` they are repeated until those are reached. */
  readonly jobs: readonly LoadJob[];
  readonly requests?: number;
  readonly durationMs?: number;
  /** The status that every answer should have; others count as errors. */
  readonly status: number;
  /** Pause after each read of a body, ms: a slow client. */
  readonly pauseMs?: number;
  /** Most that is read at once, default 1 MiB. */
  readonly readBytes?: number;
}

/** What it saw. */
export interface LoadResult {
  readonly bytes: number;
  readonly requests: number;
  /** Requests without an answer, or with another status than planned. */
  readonly errors: number;
  /** How often which status came; 0 stands for no answer. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly wallMs: number;
  /** Of the time until the last byte of a body. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}
