import type { Log } from "../ports/log.ts";

/** What a service manager is told about, by sd_notify(3). */
export interface ServiceManager {
  /** The service does what it is there for. Only the first call counts. */
  ready(): Promise<void>;
  /** The service is about to end. */
  stopping(): Promise<void>;
  /** Stops the signs of life and frees the socket. */
  close(): Promise<void>;
}

/** Where to find the service manager, from the environment of the process. */
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
 * Connects to the service manager that started this process with `Type=notify`, and keeps telling it
 * that the process is alive where it asks for that (`WatchdogSec=`): signs of life come from the event
 * loop, so that a loop that hangs is noticed. Without a service manager all calls do nothing. Failures
 * are logged: the service runs on, and the manager draws its own conclusions.
 */
export async function connectServiceManager(
  { env, log }: ServiceManagerOptions,
): Promise<ServiceManager> {
  const address = env["NOTIFY_SOCKET"];
  if (!address) return NOBODY;
  if (!address.startsWith("/")) {
    // Abstract sockets, such as some container managers use, cannot be named here.
    log.warn("the service manager cannot be told of readiness: its socket is not a path");
    return NOBODY;
  }
  try {
    return await Notifier.open(address, env, log);
  } catch (error) {
    log.warn("the service manager cannot be told of readiness", { error });
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
    // A socket has to be bound somewhere before it can send.
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
      .catch((error) => this.#log.debug("a directory was not removed", { error }));
  }

  /** Twice as often as asked for, as sd_watchdog_enabled(3) advises. */
  #watch(timeoutMicroseconds: number): void {
    if (!(timeoutMicroseconds > 0)) return;
    const beat = () => void this.#send("WATCHDOG=1");
    this.#timer = setInterval(beat, timeoutMicroseconds / 2000);
  }

  async #send(message: string): Promise<void> {
    try {
      await this.#socket.send(new TextEncoder().encode(message), this.#address);
    } catch (error) {
      this.#log.warn("the service manager could not be told", { message, error });
    }
  }
}
