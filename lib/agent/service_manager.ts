import type { Log } from "../ports/log.ts";

/** Notifications to the service manager (sd_notify(3)). */
export interface ServiceManager {
  /** The service is ready. Only the first call has an effect. */
  ready(): Promise<void>;
  /** The service is stopping. */
  stopping(): Promise<void>;
  /** Stops the watchdog notifications and closes the socket. */
  close(): Promise<void>;
}

/** Options of {@link connectServiceManager}. */
export interface ServiceManagerOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

const NOBODY: ServiceManager = {
  ready: () => Promise.resolve(),
  stopping: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

/**
 * Connects to the service manager that started this process with `Type=notify`. If it has a
 * watchdog (`WatchdogSec=`), the event loop notifies it regularly, so that it notices a loop that
 * hangs. Without a service manager all calls do nothing. Failures are logged only.
 */
export async function connectServiceManager(
  { env, log }: ServiceManagerOptions,
): Promise<ServiceManager> {
  const address = env["NOTIFY_SOCKET"];
  if (!address) return NOBODY;
  if (!address.startsWith("/")) {
    // The runtime cannot connect to abstract sockets, which some container managers use.
    log.warn("the service manager cannot be notified of readiness: its socket is not a path");
    return NOBODY;
  }
  try {
    return await Notifier.open(address, env, log);
  } catch (error) {
    log.warn("the service manager cannot be notified of readiness", { error });
    return NOBODY;
  }
}

class Notifier implements ServiceManager {
  readonly #address: Deno.UnixAddr & { transport: "unixpacket" };
  readonly #socket: Deno.DatagramConn;
  readonly #directory: string;
  readonly #log: Log;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isReady = false;

  private constructor(path: string, socket: Deno.DatagramConn, directory: string, log: Log) {
    this.#address = { transport: "unixpacket", path };
    this.#socket = socket;
    this.#directory = directory;
    this.#log = log;
  }

  static async open(
    address: string,
    env: ServiceManagerOptions["env"],
    log: Log,
  ): Promise<Notifier> {
    // A socket must be bound to a path before it can send.
    const parent = env["RUNTIME_DIRECTORY"]?.split(":")[0];
    const directory = await Deno.makeTempDir({
      prefix: "notify-",
      ...(parent === undefined ? {} : { dir: parent }),
    });
    try {
      const path = `${directory}/socket`;
      const socket = Deno.listenDatagram({ transport: "unixpacket", path });
      const notifier = new Notifier(address, socket, directory, log);
      notifier.#watch(Number(env["WATCHDOG_USEC"]));
      return notifier;
    } catch (error) {
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  async ready(): Promise<void> {
    if (this.#isReady) return;
    this.#isReady = true;
    await this.#send("READY=1\nSTATUS=Serving images to this node and to its peers");
  }

  async stopping(): Promise<void> {
    await this.#send("STOPPING=1\nSTATUS=Letting transfers end");
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#socket.close();
    await Deno.remove(this.#directory, { recursive: true })
      .catch((error) => this.#log.debug("a temporary directory was not removed", { error }));
  }

  /** Notifies at half the timeout, as sd_watchdog_enabled(3) recommends. */
  #watch(timeoutMicroseconds: number): void {
    if (!(timeoutMicroseconds > 0)) return;
    const beat = () => void this.#send("WATCHDOG=1");
    this.#timer = setInterval(beat, timeoutMicroseconds / 2000);
  }

  async #send(message: string): Promise<void> {
    try {
      await this.#socket.send(new TextEncoder().encode(message), this.#address);
    } catch (error) {
      this.#log.warn("the service manager could not be notified", { message, error });
    }
  }
}
