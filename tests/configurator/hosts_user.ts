import { put } from "./tree.ts";

const BLOCK = /^# >>> eddy[^\n]*\n(?:[^\n]*\n)*?# <<< eddy[^\n]*(?:\n|$)/m;

/**
 * A person who works on docker.io's hosts.toml by hand, and remembers what they wrote and did not
 * remove. They only remove what they see.
 */
export class HostsUser {
  readonly #root: string;
  readonly #path: string;
  /** By host: texts that belong to it and go with it. */
  readonly #hosts = new Map<number, Set<string>>();
  readonly #others = new Map<string, string>();
  #count = 0;

  constructor(root: string) {
    this.#root = root;
    this.#path = `${root}/docker.io/hosts.toml`;
  }

  /** All that has to be in the file in the end. */
  get wrote(): string[] {
    return [...[...this.#hosts.values()].flatMap((texts) => [...texts]), ...this.#others.values()];
  }

  /** The file, links followed; empty if there is none. */
  read(): Promise<string> {
    return Deno.readTextFile(this.#path).catch(() => "");
  }

  async addHost(host: number): Promise<void> {
    const text = await this.read();
    if (text.includes(urlOf(host))) return;
    await this.#write(`${text}\n${this.#newHost(host)}`);
  }

  async removeHost(host: number): Promise<void> {
    const text = await this.read();
    if (text.includes(urlOf(host))) await this.#write(withoutHost(text, host));
  }

  /** Gives a host a new header in place of the one that it had. */
  async changeHeader(host: number): Promise<void> {
    const text = await this.read();
    const old = new RegExp(`"?X-Token"? = "(token-${host}-\\d+)"`).exec(text)?.[1];
    if (old === undefined) return;
    const token = `token-${host}-${++this.#count}`;
    await this.#write(text.replaceAll(old, token));
    this.#hosts.get(host)?.add(token);
  }

  async addComment(): Promise<void> {
    const comment = `# remark ${++this.#count}`;
    await this.#write(`${comment}\n\n${await this.read()}`);
    this.#others.set(comment, comment);
  }

  async setServer(): Promise<void> {
    const server = `https://server-${++this.#count}.example`;
    const [text, line] = [await this.read(), `server = "${server}"`];
    const own = /^server = .*\n?/m.exec(text.replace(BLOCK, ""))?.[0];
    await this.#write(own === undefined ? `${line}\n${text}` : text.replace(own, `${line}\n`));
    this.#others.set("server", server);
  }

  /** Writes another file in place of what is seen. */
  async replaceFile(host: number): Promise<void> {
    await this.#write(this.#newHost(host));
  }

  async linkFile(host: number): Promise<void> {
    const target = `${this.#root}/shared-${++this.#count}.toml`;
    const text = this.#newHost(host);
    await this.#forget(text);
    await put(target, text);
    await Deno.remove(this.#path).catch(() => {});
    await Deno.symlink(target, this.#path);
  }

  async removeBlock(): Promise<void> {
    const text = await this.read();
    if (BLOCK.test(text)) await this.#write(text.replace(BLOCK, ""));
  }

  /** Unless two keys of one name would be left, which nobody could read. */
  async removeMarks(): Promise<void> {
    const text = await this.read();
    const servers = text.match(/^server = /gm) ?? [];
    if (BLOCK.test(text) && servers.length < 2) {
      await this.#write(text.replace(/^# (>>>|<<<) eddy.*\n/gm, ""));
    }
  }

  /** What Eddy has of it may come back. */
  async removeFile(): Promise<void> {
    await this.#forget("");
    await Deno.remove(this.#path).catch(() => {});
  }

  /** Only into what counts as the original, not into a copy that a crash left there. */
  async addToBackup(host: number): Promise<void> {
    const state = await Deno.readTextFile(`${this.#root}/_backup/.eddy.json`).catch(() => "{}");
    if (JSON.parse(state).registries?.["docker.io"]?.hasOriginal !== true) return;
    const path = `${this.#root}/_backup/docker.io/hosts.toml`;
    const text = await Deno.readTextFile(path).catch(() => undefined);
    if (text === undefined || text.includes(urlOf(host))) return;
    if ((await Deno.lstat(path)).isSymlink) return;
    if ((await this.read()).includes(urlOf(host))) return;
    await Deno.writeTextFile(path, `${text}\n${this.#newHost(host)}`);
  }

  /** As the user writes one; with the same URL it may have been there, unseen, before. */
  #newHost(host: number): string {
    const number = ++this.#count;
    // A new value for the same header is the user's word on it.
    const texts = new Set([...this.#hosts.get(host) ?? []].filter((text) => text.startsWith("#")));
    const note = `# note ${host}-${number}`;
    const token = `token-${host}-${number}`;
    this.#hosts.set(host, texts.add(urlOf(host)).add(note).add(token));
    return `${note}\n[host."${urlOf(host)}"]\n  capabilities = ["pull"]\n\n` +
      `[host."${urlOf(host)}".header]\n  X-Token = "${token}"\n`;
  }

  /** What could be seen in the file and is not in the next is removed; with a host all that is its. */
  async #forget(next: string): Promise<void> {
    const before = await this.read();
    const isRemoved = (text: string) => before.includes(text) && !next.includes(text);
    for (const [host, texts] of [...this.#hosts]) {
      if (isRemoved(urlOf(host))) this.#hosts.delete(host);
      for (const text of [...texts].filter(isRemoved)) texts.delete(text);
    }
    for (const [key, text] of [...this.#others]) if (isRemoved(text)) this.#others.delete(key);
  }

  /** Editors write through links; this user's does not, so that nothing else changes. */
  async #write(text: string): Promise<void> {
    await this.#forget(text);
    await Deno.remove(this.#path).catch(() => {});
    await put(this.#path, text);
  }
}

function urlOf(host: number): string {
  return `https://h${host}.example`;
}

/** Takes out the tables of a host, with the comment right above it. */
function withoutHost(text: string, host: number): string {
  const kept: string[] = [];
  let inside = false;
  for (const line of text.split(/(?<=\n)/)) {
    if (line.startsWith("[")) {
      inside = line.includes(`"${urlOf(host)}"`);
      while (inside && kept.at(-1)?.startsWith(`# note ${host}-`)) kept.pop();
    } else if (/^# (?:note|remark|>>>|<<<)/.test(line)) inside = false;
    if (!inside) kept.push(line);
  }
  return kept.join("");
}
