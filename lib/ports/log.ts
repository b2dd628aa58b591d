/** Fields of a log line besides its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log; one JSON line per call. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds these fields to each line. */
  child(fields: LogFields): Log;
}
