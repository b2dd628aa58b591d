import { messageOf } from "../async/thrown.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import { configure } from "./configure.ts";
import type { ConfiguratorCollaborators } from "./plan.ts";
import { checkOptions, type ConfiguratorOptions } from "./settings.ts";

/** Events of a directory and all below it, until it is closed. */
export interface DirectoryWatch extends AsyncIterable<unknown> {
  close(): void;
}

/** Collaborators of {@link watchConfiguration}. */
export interface WatchCollaborators
  extends ConfiguratorCollaborators, Pick<Runtime, "clock" | "log"> {
  /** Begins to watch a directory; throws if that cannot be done. Default: `Deno.watchFs`. */
  readonly watchDirectory?: (path: string) => DirectoryWatch;
}

/** Settings of {@link watchConfiguration}. */
export interface WatchOptions extends Cancellable {
  /** A function is asked each time anew; the directory must stay the same. */
  readonly configuration: ConfiguratorOptions | (() => ConfiguratorOptions);
  /**
   * How often, ms, to look whether the directory was replaced, and at all of it where it cannot be
   * watched; default 1000.
   */
  readonly pollMs?: number;
  /** How long, ms, changes must have stopped before they are looked at; default 200. */
  readonly quietMs?: number;
  /** More repairs within a minute than this are put off; default 10. */
  readonly maxRepairsPerMinute?: number;
}

/** A watch can miss events: so often, ms, all is looked at even without one. */
const FULL_CHECK_MS = 30_000;
/** A writer that never rests is looked at after so many quiet times all the same. */
const MAX_QUIET_ROUNDS = 4;
const MINUTE_MS = 60_000;

/**
 * Keeps the mirror configuration in place: when something else rewrites or removes it, as k3s and
 * RKE2 do whenever they start, it is planned and carried out again, within two seconds by default.
 * What was written meanwhile counts as the user's. Two programs that undo each other's work do not
 * spin: repairs a minute are bounded, and the log says so.
 *
 * Failures are logged and tried again. Resolves when the signal aborts.
 *
 * @throws {ConfiguratorError} for bad options, at once.
 */
export async function watchConfiguration(
  collaborators: WatchCollaborators,
  options: WatchOptions,
): Promise<void> {
  checkOptions(configurationOf(options));
  if (options.signal.aborted) return;
  const keeper = new Keeper(collaborators, options);
  const stop = () => keeper.stop();
  options.signal.addEventListener("abort", stop, { once: true });
  try {
    await keeper.run();
  } finally {
    options.signal.removeEventListener("abort", stop);
    keeper.stop();
  }
}

/** One watched directory; lives as long as the watch. */
class Keeper {
  readonly #collaborators: WatchCollaborators;
  readonly #options: WatchOptions;
  readonly #root: string;
  #stopped = false;
  /** Something may have changed since the last look. */
  #dirty = true;
  #interrupt: AbortController | undefined;
  #wakeful = false;
  #watch: { readonly handle: DirectoryWatch; readonly inode: number | null } | undefined;
  #checkedAt = -Infinity;
  /** When files were put right, within the last minute. */
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

  /** Waits; the end cuts it short, and so does an event if `wakeful`. */
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

  /** Waits until whoever is writing has finished. */
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
        log.warn("something keeps changing the mirror configuration: putting off its repair", {
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
      // Every poll tries again; the log need not say the same thing each time.
      const message = messageOf(error);
      if (message !== this.#lastFailure) {
        log.error("mirror configuration cannot be put right", { error: message });
      }
      this.#lastFailure = message;
      this.#dirty = false;
      this.#unwatch();
    }
  }

  /** Watches the directory that has the name now: it may have been replaced by another. */
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
      log.debug("the mirror configuration cannot be watched, it is polled", {
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
