/** Limits on a source file. */
export interface SourceLimits {
  /** Lines of a file. */
  maxFileLines: number;
  /** Lines of a function, from its head to its closing brace. */
  maxFunctionLines: number;
}

/** A function and where it is. */
interface FoundFunction {
  readonly name: string;
  /** Number of its first line, from 1. */
  readonly line: number;
  readonly length: number;
}

/** Statements whose head looks like a method's. */
const STATEMENTS = new Set(["if", "for", "while", "switch", "catch", "return", "await", "super"]);
const FUNCTION = /^\s*(?:export )?(?:default )?(?:async )?function\*? ?([\w$]*)/;
const ARROW = /^\s*(?:export )?(?:(?:const|let|readonly|static) )*([#\w$]*).*=> \{$/;
const METHOD =
  /^\s+(?:(?:static|async|override|get|set|private|protected) )*\*?(?:async \*)?(#?[\w$]+|\[[\w.]+\])(?:<.*>)?\((?!.*;$)/;

/** Checks one source file; each sentence of the result tells a violation. */
export function checkSource(path: string, text: string, limits: SourceLimits): string[] {
  const lines = text.trimEnd().split("\n");
  const code = lines.filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)).join("\n");
  const violations: string[] = [];
  if (lines.length > limits.maxFileLines) {
    violations.push(`${path} has ${lines.length} lines, at most ${limits.maxFileLines} are wanted`);
  }
  for (const { name, line, length } of findFunctions(lines)) {
    if (length > limits.maxFunctionLines) {
      violations.push(
        `${path}:${line} ${name} has ${length} lines, at most ${limits.maxFunctionLines} are wanted`,
      );
    }
  }
  if (!/^(demo\/)?main\.ts$/.test(path) && /\bDeno\.exit\b|\bprocess\.exit\b/.test(code)) {
    violations.push(`${path} ends the process, which only a main.ts may`);
  }
  if (WRITES_FILES.test(code) && !/^(lib\/files|demo)\//.test(path)) {
    violations.push(`${path} writes a file by itself, which lib/files does durably`);
  }
  if (
    /\bawait fetch\(/.test(code) && !/\bcreateHttpClient\(/.test(code) && !IN_BROWSER.test(path)
  ) {
    violations.push(
      `${path} fetches without a client of lib/net/http_client.ts, as proxies want it`,
    );
  }
  if (/\bDeno\.createHttpClient\b/.test(code) && !OWN_HTTP_CLIENT.test(path)) {
    violations.push(`${path} makes an HTTP client, which lib/net/http_client.ts does`);
  }
  if (/\bconsole\s*\./.test(code)) violations.push(`${path} writes to the console`);
  return violations;
}

/** Holds a script for the browser. */
const IN_BROWSER = /^lib\/observability\/debug\/style\.ts$/;
/** containerd's client connects to a socket file. */
const OWN_HTTP_CLIENT = /^lib\/(net\/http_client|store\/containerd\/client)\.ts$/;
const WRITES_FILES =
  /\bDeno\.(writeTextFile|writeFile|rename|create|copyFile|symlink|link|truncate)(Sync)?\b|\bcreateNew: true\b/;

/**
 * Finds functions by their heads and indentation, which the formatter makes reliable enough: a
 * function ends at the first line that has its indentation and begins with a closing brace.
 */
function findFunctions(lines: readonly string[]): FoundFunction[] {
  return lines.flatMap((line, index): FoundFunction[] => {
    const name = functionName(line);
    if (name === undefined) return [];
    const indentation = /^\s*/.exec(line)?.[0] ?? "";
    const rest = lines.slice(index + 1);
    const end = rest.findIndex((each) => each.startsWith(`${indentation}}`) && !each.endsWith("{"));
    const next = rest.findIndex((each) =>
      each.trim() !== "" && !each.startsWith(`${indentation} `)
    );
    // Without a body (an overload, an interface's method) the next line is a sibling.
    const hasBody = line.endsWith("{") || /[({]$/.test(line);
    return end < 0 || (next >= 0 && next < end && !hasBody)
      ? []
      : [{ name: name || "function", line: index + 1, length: end + 2 }];
  });
}

function functionName(line: string): string | undefined {
  if (!/[({]$/.test(line)) return undefined;
  const match = FUNCTION.exec(line) ?? ARROW.exec(line) ?? METHOD.exec(line);
  const name = match?.[1];
  return name === undefined || STATEMENTS.has(name) ? undefined : name;
}
