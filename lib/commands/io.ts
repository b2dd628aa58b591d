/** What a command needs of the process, so that tests can stand in for it. */
export interface CommandIo {
  /** Writes text to standard output as it is. */
  readonly stdout: (text: string) => void;
  /** Writes text to standard error as it is. */
  readonly stderr: (text: string) => void;
  /** True if standard output is a terminal, which can redraw a line. */
  readonly isTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the process is asked to end. */
  readonly signal: AbortSignal;
}
