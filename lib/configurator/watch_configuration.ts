import { messageOf } from "../async/thrown.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import { configure } from "./configure.ts";
import type { ConfiguratorCollaborators } from "./plan.ts";
import { checkOptions, type ConfiguratorOptions } from "./settings.ts";

/** File events of a directory tree, until closed. */
export interface DirectoryWatch extends AsyncIterable<unknown> {
  close(): void;
}

export interface WatchCollaborators
  extends ConfiguratorCollaborators, Pick<Runtime, "clock" | "log"> {
  /** Starts watching a directory; throws if that is impossible. Default: `Deno.watchFs`. */
  readonly watchDirectory?: (path: string) => DirectoryWatch;
}

export interface WatchOptions extends Cancellable {
  /** A function is called for every check; the directory must not change. */
  readonly configuration: ConfiguratorOptions | (() => ConfiguratorOptions);
  /**
   * Interval, ms, of checks whether the directory was replaced, and of full checks where it cannot
   * be watched; default 1000.
   */
  readonly pollMs?: number;
  /** Quiet period, ms, after the last change before files are checked; default 200. */
  readonly quietMs?: number;
  /** Repairs per minute, further ones are deferred; default 10. */
  readonly maxRepairsPerMinute?: number;
}

/** Interval of full checks, ms, since a watch can miss events. */
const FULL_CHECK_MS = 30_000;
/** Quiet periods to wait at most for a writer that never pauses. */
const MAX_QUIET_ROUNDS = 4;
const MINUTE_MS = 60_000;

/**
 * Keeps the mirror configuration in place: when another program rewrites or removes it, as k3s and
 * RKE2 do at every start, it is planned and applied again, within two seconds by default. What the
 * other program wrote counts as the user's. Repairs per minute are bounded, and deferring them is
 * logged, so that two programs that undo each other's work do not spin.
 *
 * Failures are logged and retried. Resolves when the signal aborts.
 *
 * @throws {ConfiguratorError} for bad options, at once.
 */
export async function watchConfiguration(
  collaborators: WatchCollaborators,
  options: WatchOptions,
): Promise<void> {
  checkOptions(configurationOf(options));
  if (options.signal.aborted) return;
  const watcher = new ConfigurationWatcher(collaborators, options);
  const stop = () => watcher.stop();
  options.signal.addEventListener("abort", stop, { once: true });
  try {
    await watcher.run();
  } finally {
    options.signal.removeEventListener("abort", stop);
    watcher.stop();
  }
}

/** State of the watch on one directory. */
class ConfigurationWatcher {
  readonly #collaborators: WatchCollaborators;
  readonly #options: WatchOptions;
  readonly #root: string;
  #stopped = false;
  /** Set if files may have changed since the last check. */
  #dirty = true;
  #interrupt: AbortController | undefined;
  #wakeful = false;
  #watch: { readonly handle: DirectoryWatch; readonly inode: number | null } | undefined;
  #checkedAt = -Infinity;
  /** Times of the repairs within the last minute. */
  #repairs: number[] = [];
  #deferring = false;
  #lastFailure = "";
  #lastWarnings = "";

  constructor(collaborators: WatchCollaborators, options: WatchOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#root = configurationOf(options).configPath;
  }

  async run(): Promise<void> {
    const { clock } = this.#collaborators;
    const { pollMs = 1000 } = this.#options;
    while (!this.#stopped) {
      await this.#rest(pollMs, true);
      await this.#watchAgain();
      const due = this.#watch === undefined || clock.now() - this.#checkedAt >= FULL_CHECK_MS;
      if (this.#stopped || !(this.#dirty || due)) continue;
      await this.#settle();
      if (this.#stopped) return;
      this.#dirty = false;
      await this.#check();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#interrupt?.abort();
  }

  #notice(): void {
    this.#dirty = true;
    if (this.#wakeful) this.#interrupt?.abort();
  }

  /** Waits `ms`; `stop` ends the wait early, and so does an event if `wakeful`. */
  async #rest(ms: number, wakeful: boolean): Promise<void> {
    if (this.#stopped || (wakeful && this.#dirty)) return;
    const interrupt = new AbortController();
    this.#interrupt = interrupt;
    this.#wakeful = wakeful;
    try {
      await this.#collaborators.clock.sleep(ms, { signal: interrupt.signal });
    } catch (error) {
      if (!interrupt.signal.aborted) throw error;
    } finally {
      this.#interrupt = undefined;
    }
  }

  /** Waits until the writer has finished. */
  async #settle(): Promise<void> {
    const { quietMs = 200 } = this.#options;
    for (let round = 0; round < MAX_QUIET_ROUNDS && this.#dirty && !this.#stopped; round++) {
      this.#dirty = false;
      await this.#rest(quietMs, false);
    }
  }

  async #check(): Promise<void> {
    const { clock, log } = this.#collaborators;
    const { maxRepairsPerMinute = 10 } = this.#options;
    const now = clock.now();
    this.#repairs = this.#repairs.filter((at) => now - at < MINUTE_MS);
    const oldest = this.#repairs[0];
    if (oldest !== undefined && this.#repairs.length >= maxRepairsPerMinute) {
      if (!this.#deferring) {
        log.warn("something keeps changing the mirror configuration: its repair is deferred", {
          configPath: this.#root,
          repairsPerMinute: this.#repairs.length,
        });
      }
      this.#deferring = true;
      await this.#rest(oldest + MINUTE_MS - now, false);
      this.#dirty = true;
      return;
    }
    this.#deferring = false;
    await this.#repair();
    this.#checkedAt = clock.now();
  }

  async #repair(): Promise<void> {
    const { clock, log } = this.#collaborators;
    try {
      const plan = await configure(this.#collaborators, configurationOf(this.#options));
      this.#lastFailure = "";
      if (plan.changes.length > 0) {
        this.#repairs.push(clock.now());
        log.info("mirror configuration had been changed and was put right", {
          paths: plan.changes.map(({ path }) => path),
        });
      }
      const warnings = plan.warnings.join("\n");
      if (warnings !== this.#lastWarnings) {
        for (const warning of plan.warnings) log.warn(warning);
      }
      this.#lastWarnings = warnings;
    } catch (error) {
      // Logged once, though every poll retries.
      const message = messageOf(error);
      if (message !== this.#lastFailure) {
        log.error("mirror configuration cannot be put right", { error: message });
      }
      this.#lastFailure = message;
      this.#dirty = false;
      this.#unwatch();
    }
  }

  /** Watches the directory that is at the path now: it may have been replaced. */
  async #watchAgain(): Promise<void> {
    const { fileSystem, log, watchDirectory = denoWatch } = this.#collaborators;
    const now = await fileSystem.directory(this.#root).catch(() => undefined);
    if (this.#stopped || (this.#watch !== undefined && this.#watch.inode === now?.inode)) return;
    this.#unwatch();
    this.#dirty = true;
    if (now === undefined) return;
    try {
      const handle = watchDirectory(this.#root);
      this.#watch = { handle, inode: now.inode };
      this.#follow(handle).catch((error) => {
        log.debug("watching the mirror configuration failed", { error: String(error) });
        if (this.#watch?.handle === handle) this.#unwatch();
      });
    } catch (error) {
      log.debug("the mirror configuration cannot be watched, polling it", {
        error: String(error),
      });
    }
  }

  async #follow(handle: DirectoryWatch): Promise<void> {
    for await (const _event of handle) this.#notice();
  }

  #unwatch(): void {
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.handle.close();
  }
}

function configurationOf({ configuration }: WatchOptions): ConfiguratorOptions {
  return typeof configuration === "function" ? configuration() : configuration;
}

function denoWatch(path: string): DirectoryWatch {
  return Deno.watchFs(path, { recursive: true });
}
