import type { FileOperations } from "../../lib/files/file_operations.ts";
import { basename, dirname } from "node:path";

/** What everything answers once the power is gone. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

interface Content {
  text: string;
  /** What of it is on the disk. */
  synced: string;
}

type Node = Content | "directory";

/**
 * A disk that keeps what it is told in memory until it is synced, and whose power goes at one
 * operation. What it holds then is not certain: see {@link PowerCutDisk.afterwards}.
 */
export class PowerCutDisk implements FileOperations {
  readonly #cutAt: number;
  readonly #entries = new Map<string, Node>([["/", "directory"]]);
  readonly #syncedEntries = new Map<string, Node>([["/", "directory"]]);
  #operations = 0;
  cut = false;

  /** @param cutAt number of the operation that does not happen any more; default: none. */
  constructor(cutAt = Infinity) {
    this.#cutAt = cutAt;
  }

  /** Something that has been there for long. */
  put(path: string, node: string | "directory"): void {
    const entry: Node = node === "directory" ? node : { text: node, synced: node };
    this.#entries.set(path, entry);
    this.#syncedEntries.set(path, entry);
  }

  /** Paths, as a running system sees them. */
  get paths(): string[] {
    return [...this.#entries.keys()].sort();
  }

  /** What a running system sees at a path: a file's text, a directory, or nothing. */
  at(path: string): string | undefined {
    const node = this.#entries.get(path);
    return node === undefined || node === "directory" ? undefined : node.text;
  }

  isDirectory(path: string): boolean {
    return this.#entries.get(path) === "directory";
  }

  /** Entries of a directory as a running system sees them; undefined if there is none. */
  entries(path: string): { name: string; kind: "file" | "directory" }[] | undefined {
    if (!this.isDirectory(path)) return undefined;
    return this.paths.filter((each) => each !== "/" && dirname(each) === path).map((each) => ({
      name: basename(each),
      kind: this.isDirectory(each) ? "directory" : "file",
    }));
  }

  /** The disk as it may be after a power loss, in working order, see {@link afterwards}. */
  restarts(): PowerCutDisk[] {
    const restart = (entries: Map<string, Node>, pick: (content: Content) => string) => {
      const disk = new PowerCutDisk();
      for (const [path, node] of [...entries].sort(([a], [b]) => a < b ? -1 : 1)) {
        // What is below a directory whose name did not get there is lost with it.
        if (path !== "/" && !disk.isDirectory(dirname(path))) continue;
        disk.put(path, node === "directory" ? node : pick(node));
      }
      return disk;
    };
    return [
      restart(this.#syncedEntries, ({ synced }) => synced),
      restart(this.#entries, ({ synced }) => synced),
      restart(this.#entries, ({ text }) => text),
    ];
  }

  /**
   * What may be at a path after a power loss: nothing but what was synced is there; the names are,
   * but not the bytes; or all of it is. Undefined: nothing.
   */
  afterwards(path: string): (string | undefined)[] {
    const found = (entries: Map<string, Node>, pick: (content: Content) => string) => {
      for (let above = dirname(path); above !== "/"; above = dirname(above)) {
        if (entries.get(above) !== "directory") return undefined;
      }
      const node = entries.get(path);
      return node === undefined || node === "directory" ? undefined : pick(node);
    };
    return [
      found(this.#syncedEntries, ({ synced }) => synced),
      found(this.#entries, ({ synced }) => synced),
      found(this.#entries, ({ text }) => text),
    ];
  }

  createNew: FileOperations["createNew"] = (path) =>
    this.#operate(() => {
      this.#mustBeFree(path);
      const content: Content = { text: "", synced: "" };
      this.#entries.set(path, content);
      return {
        write: (bytes) => this.#operate(() => void (content.text += decode(bytes))),
        sync: () => this.#operate(() => void (content.synced = content.text)),
        [Symbol.dispose]: () => {},
      };
    });

  symlink: FileOperations["symlink"] = (target, path) =>
    this.#operate(() => {
      this.#mustBeFree(path);
      // The text of a link goes to the disk with its name.
      this.#entries.set(path, { text: `→${target}`, synced: `→${target}` });
    });

  chown: FileOperations["chown"] = () => this.#operate(() => {});

  chmod: FileOperations["chmod"] = () => this.#operate(() => {});

  rename: FileOperations["rename"] = (from, to) =>
    this.#operate(() => {
      const node = this.#entries.get(from);
      if (node === undefined) throw new Deno.errors.NotFound(from);
      // What a directory holds on the disk it holds there under its new name, too.
      for (const [path, each] of [...this.#syncedEntries]) {
        if (path.startsWith(`${from}/`)) {
          this.#syncedEntries.set(to + path.slice(from.length), each);
        }
      }
      for (const [path, each] of [...this.#entries]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        this.#entries.delete(path);
        this.#entries.set(to + path.slice(from.length), each);
      }
    });

  remove: FileOperations["remove"] = (path) => this.#operate(() => void this.#entries.delete(path));

  makeDirectory: FileOperations["makeDirectory"] = (path) =>
    this.#operate(() => {
      if (this.#entries.get(path) === "directory") return false;
      this.#mustBeFree(path);
      this.#entries.set(path, "directory");
      return true;
    });

  syncDirectory: FileOperations["syncDirectory"] = (path) =>
    this.#operate(() => {
      const isIn = (entry: string) => entry !== "/" && dirname(entry) === path;
      for (const entry of [...this.#syncedEntries.keys()].filter(isIn)) {
        this.#syncedEntries.delete(entry);
      }
      for (const [entry, node] of this.#entries) {
        if (isIn(entry)) this.#syncedEntries.set(entry, node);
      }
    });

  #mustBeFree(path: string): void {
    if (this.#entries.has(path)) throw new Deno.errors.AlreadyExists(path);
    if (this.#entries.get(dirname(path)) !== "directory") throw new Deno.errors.NotFound(path);
  }

  async #operate<T>(run: () => T): Promise<T> {
    await Promise.resolve();
    if (++this.#operations >= this.#cutAt) this.cut = true;
    if (this.cut) throw new PowerCut();
    return run();
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
