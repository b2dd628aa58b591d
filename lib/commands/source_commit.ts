import { join, resolve } from "node:path";

/** Digits of the abbreviated commit, as in the compiled program. */
const DIGITS = 12;

/**
 * The commit that is checked out in a git working tree, read from its files, for runs from source.
 *
 * @param root directory of the tree.
 * @returns undefined if it is not a working tree, or its format is unknown.
 */
export function sourceCommit(root: string): string | undefined {
  const head = gitDirectory(root);
  const text = head && read(join(head, "HEAD"));
  if (head === undefined || text === undefined) return undefined;
  const name = /^ref: (refs\/\S+)$/.exec(text)?.[1];
  if (name === undefined) return short(text);
  // Branches of a linked working tree are stored with those of the main one.
  const common = resolve(head, read(join(head, "commondir")) ?? ".");
  const packed = read(join(common, "packed-refs"))?.split("\n")
    .find((line) => line.endsWith(` ${name}`));
  return short(read(join(common, name)) ?? packed);
}

function gitDirectory(root: string): string | undefined {
  const path = join(root, ".git");
  const link = read(path);
  if (link === undefined) return path;
  const target = /^gitdir: (.+)$/.exec(link)?.[1];
  return target && resolve(root, target);
}

function short(commit: string | undefined): string | undefined {
  return commit && /^[0-9a-f]{40,64}\b/.test(commit) ? commit.slice(0, DIGITS) : undefined;
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
}
