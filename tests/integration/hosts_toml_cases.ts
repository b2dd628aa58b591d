import fc from "fast-check";

/**
 * The servers' certificates: none, for plain HTTP; one of the authority `ca.pem`; `own.pem`, which
 * is its own authority.
 */
export const SERVERS = ["none", "none", "none", "ca", "own"] as const;
const TLS_SERVERS = [3, 4];

/** A server of a generated file. */
interface Host {
  /** Number of a server; undefined at the root: no `server`. */
  readonly server: number | undefined;
  readonly scheme: "http" | "https" | "";
  readonly path: string;
  /** Lines of TOML, without the headers. */
  readonly lines: readonly string[];
  /** TOML of its headers, without the table. */
  readonly headers: readonly string[];
  readonly isInline: boolean;
}

/** A generated configuration of a registry, and what is asked for. */
export interface HostsCase {
  readonly folder: "host:port" | "host_port_" | "_default";
  /** Number of the server whose name the registry has. */
  readonly registry: number;
  readonly root: Host;
  readonly hosts: readonly Host[];
  readonly lineEnd: string;
  readonly byDigest: boolean;
}

/** A line with one of these values, or none. */
const line = (key: string, ...values: string[]) =>
  fc.option(fc.constantFrom(...values.map((value) => `${key} = ${value}`)), { nil: "", freq: 4 });

/** containerd 1.6 does not know `dial_timeout`, and so refuses none. */
const BAD_TIMEOUTS = ['"5"', "5", '"1d"', '" 5s"'];

const linesFor = (major: 1 | 2) =>
  fc.tuple(
    line(
      "capabilities",
      ...["[]", '["pull"]', '["resolve"]', '["pull", "resolve"]', '["Pull", "RESOLVE"]'],
      ...['["push"]', '["pull", "resolve", "push"]', '["pul"]', '"pull"', "[1]"],
    ),
    line("override_path", "true", "false", '"true"'),
    line(
      "dial_timeout",
      ...['"5s"', '"1m30.5s"', '""', '"+5s"', '"1.s"', '"0"', '"1h1m"'],
      ...(major === 1 ? [] : BAD_TIMEOUTS),
    ),
    line("skip_verify", "true", "true", "false", "1"),
    line(
      "ca",
      '"ca.pem"',
      '["ca.pem"]',
      "[]",
      '["other.pem", "ca.pem"]',
      '"own.pem"',
      '["own.pem", "ca.pem"]',
      '"other.pem"',
      "[1]",
    ),
    line(
      "client",
      "[]",
      '[["client.crt.pem", "client.key.pem"]]',
      '"client.pem"',
      '["client.pem"]',
      "1",
    ),
    line("unknown", "1979-05-27T07:32:00Z", "[{ a = 1 }]"),
  ).map((all) => all.filter((each) => each !== "")).chain((all) =>
    // Later releases ignore the case of keys.
    major === 1 ? fc.constant(all) : fc.constantFrom(...SPELLINGS).map((spell) => all.map(spell))
  );

/** Spellings of the key of a line. */
const asIs = (text: string) => text;
const SPELLINGS: readonly ((line: string) => string)[] = [
  ...[asIs, asIs, asIs],
  (line) => line.replace(/^\w+/, (key) => key.toUpperCase()),
  (line) => line.replace(/^\w/, (letter) => letter.toUpperCase()),
];

/** Generates cases for one major version of containerd. */
export function hostsCases(major: 1 | 2): fc.Arbitrary<HostsCase> {
  const servers = fc.nat(SERVERS.length - 1);
  // containerd 1.6 speaks plain HTTP at such URLs, later releases and Eddy try HTTPS first.
  const isOld = ({ server, scheme }: Pick<Host, "server" | "scheme">) =>
    major === 1 && TLS_SERVERS.includes(server ?? 0) && scheme === "http";
  const settings = {
    scheme: fc.constantFrom("http", "http", "http", "https", "https", "") as fc.Arbitrary<
      Host["scheme"]
    >,
    path: fc.constantFrom("", "/", "/v2", "/v2/", "/mirror", "/a//b/", "/v2/hub", "/mirror/v2"),
    lines: linesFor(major),
    headers: fc.subarray([
      'x-a = "one"',
      'X-B = ["one", "two"]',
      "x-c = []",
      'Authorization = "Basic eDp5"',
    ]),
    isInline: fc.boolean(),
  };
  const host = fc.record({ ...settings, server: servers }).map((each) =>
    isOld(each) ? { ...each, scheme: "https" as const } : each
  );
  const root = fc.record({ ...settings, server: fc.option(servers, { nil: undefined }) })
    .map((each) => isOld(each) ? { ...each, scheme: "https" as const } : each);
  return fc.record({
    folder: fc.constantFrom("host:port", "host_port_", "_default"),
    registry: major === 1 ? fc.constant(0) : fc.constantFrom(0, 0, ...TLS_SERVERS),
    root,
    // containerd 1.x takes a file without hosts for a bad one; Eddy's own host is always there.
    hosts: fc.uniqueArray(host, {
      ...{ minLength: 1, maxLength: 3, selector: ({ server }) => server },
    }),
    lineEnd: fc.constantFrom("\n", "\n", "\n", "\r\n"),
    byDigest: fc.boolean(),
  }).map((each) => {
    const { folder, root } = each;
    // Eddy alone does not show the default folder's secrets to any registry that a pod names.
    const isForAnybody = folder === "_default" && root.server === undefined;
    return isForAnybody ? { ...each, root: { ...root, headers: [] } } : each;
  });
}

/** The text of its hosts.toml. */
export function hostsFile(
  { root, hosts, lineEnd }: HostsCase,
  hostOf: (server: number) => string,
): string {
  const url = ({ server = 0, scheme, path }: Host) =>
    `${scheme === "" ? "" : `${scheme}://`}${hostOf(server)}${path}`;
  return [
    ...(root.server === undefined ? [] : [`server = "${url(root)}"`]),
    ...toml(root, ""),
    ...hosts.flatMap((host) => {
      const table = `host."${url(host)}"`;
      return [`[${table}]`, ...toml(host, `${table}.`)];
    }),
    "",
  ].join(lineEnd);
}

function toml({ lines, headers, isInline }: Host, table: string): string[] {
  const inline = headers.length > 0 && isInline;
  return [
    ...lines,
    ...(inline ? [`header = { ${headers.join(", ")} }`] : []),
    ...(headers.length > 0 && !inline ? [`[${table}header]`, ...headers] : []),
  ];
}
