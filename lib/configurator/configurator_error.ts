/** Settings of a {@link ConfiguratorError}. */
export interface ConfiguratorErrorOptions {
  /** The action that failed, as a verb phrase such as `write`. */
  readonly action: string;
  /** File or directory concerned, or the value of a rejected option. */
  readonly path: string;
  /** Remedy. */
  readonly fix: string;
  /** Cause, in words. */
  readonly reason: string;
  /** True if the file changed concurrently, so that planning again can succeed. */
  readonly conflict?: boolean;
  readonly cause?: unknown;
}

/** Reading or changing the mirror configuration failed; the message says where, why and what helps. */
export class ConfiguratorError extends Error {
  override readonly name = "ConfiguratorError";
  readonly action: string;
  readonly path: string;
  readonly fix: string;
  readonly conflict: boolean;

  constructor(options: ConfiguratorErrorOptions) {
    super(
      `cannot ${options.action} ${options.path}: ${options.reason}; ${options.fix}`,
      { cause: options.cause },
    );
    this.action = options.action;
    this.path = options.path;
    this.fix = options.fix;
    this.conflict = options.conflict ?? false;
  }
}
