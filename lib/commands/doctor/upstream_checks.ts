import { asksUpstream } from "../../agent/access.ts";
import { configuredRegistries } from "../../agent/known_registries.ts";
import { failed, ok, skipped, warning } from "../../agent/preflight.ts";
import { TrustedAuthorities } from "../../agent/trusted_authorities.ts";
import { configuredEndpoints, withAuthorities } from "../../agent/upstream_endpoints.ts";
import { systemClock } from "../../async/clock.ts";
import { mapConcurrent } from "../../async/map_concurrent.ts";
import type { Config } from "../../config/options.ts";
import type { UpstreamAnswer } from "../../ports/access.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Check } from "../../ports/check.ts";
import type { Log, LogFields } from "../../ports/log.ts";
import { createUpstream } from "../../upstream/create_upstream.ts";

/** Registries that are asked, and how many at the same time. */
const MAX_REGISTRIES = 32;
const CONCURRENCY = 4;
/** Nobody has this image: whether the registry answers at all is the question. */
const PROBE = { repository: "eddy/doctor", tag: "probe" };

/** What came of asking one registry. */
interface Asked {
  readonly registry: string;
  readonly answer: UpstreamAnswer;
  /** The warning that an agent would log. */
  readonly fault: LogFields | undefined;
}

/** Asks each configured registry once, as an agent does. */
export async function checkUpstream(
  config: Config,
  configPath: string | undefined,
  options: Cancellable,
): Promise<Check[]> {
  if (!asksUpstream(config)) return [];
  const name = "upstream registries";
  const registries = (await configuredRegistries(config, configPath)).slice(0, MAX_REGISTRIES);
  if (registries.length === 0) return [skipped(name, "no registry is configured by name")];
  const asked = await mapConcurrent(
    registries,
    CONCURRENCY,
    (registry) => ask(registry, config, configPath, options),
  );
  const faulty = asked.filter(({ answer }) =>
    ["misconfigured", "forbidden"].includes(reasonOf(answer))
  );
  const away = asked.filter(({ answer }) => answer.type === "unavailable").length - faulty.length;
  if (faulty.length > 0) {
    return faulty.map(({ registry, fault }) =>
      failed(
        name,
        `${registry} cannot be asked as it is configured: ${fault?.["error"] ?? "it refuses"}; ` +
          "its images count as private",
        String(fault?.["fix"] ?? "look at its hosts.toml"),
      )
    );
  }
  if (away === 0) return [ok(name, `${registries.join(", ")} can be asked`)];
  const first = asked.find(({ answer }) => answer.type === "unavailable");
  return [
    warning(
      name,
      `${away} of ${registries.length} cannot be reached now, such as ${first?.registry} ` +
        `(${first && reasonOf(first.answer)})`,
      "nothing, if this node has no way out; else look at its network, DNS and HTTPS_PROXY",
    ),
  ];
}

async function ask(
  registry: string,
  config: Config,
  configPath: string | undefined,
  { signal }: Cancellable,
): Promise<Asked> {
  let fault: LogFields | undefined;
  const runtime = { clock: systemClock, log: onWarning((fields) => fault ??= fields) };
  const quiet = { clock: systemClock, log: onWarning(() => {}) };
  const upstream = createUpstream({
    ...runtime,
    endpoints: withAuthorities(
      configuredEndpoints({ ...config, registryConfigPath: configPath }, runtime),
      new TrustedAuthorities(config.upstreamCa, quiet),
    ),
  });
  try {
    const path = { kind: "manifest", reference: { registry, ...PROBE } } as const;
    return { registry, answer: await upstream.head(path, { signal }), fault };
  } finally {
    upstream.close();
  }
}

function reasonOf(answer: UpstreamAnswer): string {
  return answer.type === "unavailable" ? answer.reason : answer.type;
}

function onWarning(warn: (fields: LogFields) => void): Log {
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: (_message, fields = {}) => warn(fields),
    error: (_message, fields = {}) => warn(fields),
    child: () => log,
  };
  return log;
}
