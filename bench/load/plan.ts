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
  /** Concurrent requests, each on a keep-alive connection of its own. */
  readonly connections: number;
  /** Each runs once; with `durationMs` or `requests` they repeat until those are reached. */
  readonly jobs: readonly LoadJob[];
  readonly requests?: number;
  readonly durationMs?: number;
  /** Expected status; any other counts as an error. */
  readonly status: number;
  /** Pause after each read of a body, ms, for a slow client. */
  readonly pauseMs?: number;
  /** Maximum bytes per read, default 1 MiB. */
  readonly readBytes?: number;
}

/** The load client's results. */
export interface LoadResult {
  readonly bytes: number;
  readonly requests: number;
  /** Requests without an answer, or with an unexpected status. */
  readonly errors: number;
  /** Number of answers by status; 0 stands for no answer. */
  readonly statuses: Readonly<Record<number, number>>;
  readonly wallMs: number;
  /** Quantiles of the time until the last byte of a body. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}
