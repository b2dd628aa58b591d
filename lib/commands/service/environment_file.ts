/**
 * Reads a file that systemd takes as `EnvironmentFile=`: lines `NAME=value`, comments from `#` or
 * `;` at the start of a line, values in single or double quotes, lines continued by a backslash.
 * Other lines are ignored, as systemd does.
 *
 * Source: systemd.exec(5).
 */
export function parseEnvironmentFile(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.replaceAll("\\\n", "").split("\n")) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    const [, name, value] = match ?? [];
    if (name !== undefined && value !== undefined) variables.set(name, unquote(value.trim()));
  }
  return variables;
}

function unquote(value: string): string {
  const single = /^'([^']*)'$/.exec(value)?.[1];
  if (single !== undefined) return single;
  const double = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1];
  return (double ?? value).replace(/\\(.)/g, "$1");
}
