import { join } from "node:path";
import type { FollowedFile } from "../../lib/store/containerd/growing_file.ts";
import { tempDirectory } from "../support/temp_directory.ts";

/** A file that a test writes while another reads it. */
export interface WrittenFile extends AsyncDisposable {
  open(): Promise<FollowedFile>;
  append(bytes: Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Grows by bytes that nobody has written. */
  skip(bytes: number): Promise<void>;
  /** It is removed. */
  remove(): Promise<void>;
  /** It is removed, and another has the content. */
  replace(bytes: Uint8Array): Promise<void>;
  successor(): Promise<FollowedFile | undefined>;
}

/** The same behaviour in memory and on a real file system. */
export const WRITTEN_FILES: Readonly<Record<string, () => Promise<WrittenFile>>> = {
  memory: () => Promise.resolve(new MemoryFile()),
  disk: createDiskFile,
};

class MemoryFile implements WrittenFile {
  #bytes = new Uint8Array();
  #holes = 0;
  #links = 1;
  #successor: MemoryFile | undefined;

  open(): Promise<FollowedFile> {
    let position = 0;
    let closed = false;
    const check = () => {
      if (closed) throw new Deno.errors.BadResource("closed");
    };
    return Promise.resolve({
      stat: () => {
        check();
        const size = this.#bytes.length;
        return Promise.resolve({
          size,
          nlink: this.#links,
          blocks: Math.ceil((size - this.#holes) / 4096) * 8,
        });
      },
      seek: (offset) => {
        check();
        position = offset;
        return Promise.resolve(offset);
      },
      read: (buffer) => {
        check();
        const part = this.#bytes.subarray(position, position + buffer.length);
        buffer.set(part);
        position += part.length;
        return Promise.resolve(part.length === 0 ? null : part.length);
      },
      close: () => {
        check();
        closed = true;
      },
    });
  }

  append(bytes: Uint8Array): Promise<void> {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
    return Promise.resolve();
  }

  truncate(size: number): Promise<void> {
    this.#bytes = this.#bytes.slice(0, size);
    return Promise.resolve();
  }

  async skip(bytes: number): Promise<void> {
    this.#holes += bytes;
    await this.append(new Uint8Array(bytes));
  }

  remove(): Promise<void> {
    this.#links = 0;
    return Promise.resolve();
  }

  async replace(bytes: Uint8Array): Promise<void> {
    await this.remove();
    this.#successor = new MemoryFile();
    await this.#successor.append(bytes);
  }

  async successor(): Promise<FollowedFile | undefined> {
    return await this.#successor?.open();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function createDiskFile(): Promise<WrittenFile> {
  const directory = await tempDirectory();
  const path = join(directory.path, "data");
  const other = join(directory.path, "blob");
  await Deno.writeFile(path, new Uint8Array());
  return {
    open: () => Deno.open(path),
    append: (bytes) => Deno.writeFile(path, bytes, { append: true }),
    truncate: (size) => Deno.truncate(path, size),
    skip: async (bytes) => await Deno.truncate(path, (await Deno.stat(path)).size + bytes),
    remove: () => Deno.remove(path),
    replace: async (bytes) => {
      await Deno.writeFile(other, bytes);
      await Deno.remove(path);
    },
    successor: () => Deno.open(other).catch(() => undefined),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** Bytes that differ from their neighbours and are not zero. */
export function someBytes(count: number, from = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, at) => (from + at) % 251 + 1);
}
