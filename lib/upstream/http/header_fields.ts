import { MisconfiguredError } from "../misconfigured_error.ts";

/** Header fields of a request; a field with several values is sent several times. */
export type HeaderFields = Readonly<Record<string, string | readonly string[]>>;

/**
 * The lines of a header, with names in lower case.
 *
 * @throws {MisconfiguredError} if a name or a value is invalid: none can end a line.
 */
export function headerLines(fields: HeaderFields): (readonly [name: string, value: string])[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((each) => headerLine(name, each))
  );
}

function headerLine(name: string, value: string): readonly [string, string] {
  try {
    const [line = [name, value]] = new Headers([[name, value]]);
    return line;
  } catch {
    throw new MisconfiguredError(
      `header ${JSON.stringify(name)} cannot be sent`,
      "correct its name or value in the server's hosts.toml",
    );
  }
}
