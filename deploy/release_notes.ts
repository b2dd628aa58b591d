/**
 * Prints what CHANGELOG.md says of a version, for the release page: `release_notes.ts v1.2.3`.
 * Exits with code 1 if it says nothing.
 */

/**
 * The section of a version in a changelog of the keep-a-changelog form, without its heading.
 *
 * @param version as a tag or bare: `v1.2.3` or `1.2.3`.
 * @returns undefined if there is no such section, or nothing in it.
 */
export function releaseNotes(changelog: string, version: string): string | undefined {
  const heading = `## [${version.replace(/^v/, "")}]`;
  const section = changelog.split(/^(?=## )/m).find((text) => text.startsWith(heading));
  // Definitions of links at the end belong to the whole file.
  const lines = section?.split("\n").slice(1).filter((line) => !/^\[[^\]]+\]: /.test(line));
  const notes = lines?.join("\n").trim();
  return notes === "" ? undefined : notes;
}

if (import.meta.main) {
  const [version = ""] = Deno.args;
  const changelog = await Deno.readTextFile(new URL("../CHANGELOG.md", import.meta.url));
  const notes = releaseNotes(changelog, version);
  const [stream, text] = notes === undefined
    ? [Deno.stderr, `CHANGELOG.md has no notes for ${version || "a version that is not named"}`]
    : [Deno.stdout, notes];
  await stream.write(new TextEncoder().encode(`${text}\n`));
  if (notes === undefined) Deno.exit(1);
}
