import { type Host, onHost } from "./network.ts";
import { runCommand } from "./run_command.ts";

/** Settings of {@link httpRequest}. */
export interface HttpRequestOptions {
  /** Longest wait, ms. Default 10,000. */
  timeoutMs?: number;
  /** Asks for the headers only. Default false. */
  head?: boolean;
  /** Request headers. */
  headers?: Readonly<Record<string, string>>;
}

/** An answer; status 0 if there was none. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
  /** From the start of the request to the end of the answer, ms. */
  readonly elapsedMs: number;
}

/** Between the body and what curl tells of the answer; JSON escapes it. */
const SEPARATOR = "\x1e";

/** Makes a request from a host, timed by curl itself, so without the start of the process. */
export async function httpRequest(
  host: Host,
  url: string,
  options: HttpRequestOptions = {},
): Promise<HttpAnswer> {
  const { timeoutMs = 10_000, head = false, headers = {} } = options;
  const { stdout } = await runCommand(
    onHost(host, [
      ...["curl", "-sS", "--noproxy", "*", "--max-time", String(timeoutMs / 1000)],
      ...(head ? ["--head", "-o", "/dev/null"] : []),
      ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      ...["-w", `${SEPARATOR}%{http_code} %{time_total} %{header_json}`, url],
    ]),
    { timeoutMs: timeoutMs + 5000, allowFailure: true },
  );
  const end = stdout.lastIndexOf(SEPARATOR);
  const [status, seconds, ...json] = stdout.slice(end + 1).split(" ");
  const fields: Record<string, string[]> = JSON.parse(json.join(" ") || "{}");
  return {
    status: Number(status ?? 0),
    body: stdout.slice(0, end),
    headers: new Headers(
      Object.entries(fields).flatMap(([name, values]) =>
        values.map((value): [string, string] => [name, value])
      ),
    ),
    elapsedMs: Number(seconds ?? 0) * 1000,
  };
}
