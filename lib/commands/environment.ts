import process from "node:process";
import { OPTION_ROWS } from "../config/options.ts";

/** Variables besides those of options, with who reads them. */
const OTHERS = [
  // systemd's way to be told that a service is ready and alive (sd_notify(3)), from a socket there.
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "RUNTIME_DIRECTORY",
  // Kubernetes names its API server so to every pod.
  "KUBERNETES_SERVICE_HOST",
  "KUBERNETES_SERVICE_PORT",
  // Proxies, for requests to upstream registries and to the HTTP bootstrap's URL.
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "NO_PROXY",
  "no_proxy",
] as const;

/** All environment variables that are read; the compiled program is granted no others. */
export const ENVIRONMENT_VARIABLES: readonly string[] = [
  ...OPTION_ROWS.map(({ env }) => env),
  "EDDY_CONFIG",
  ...OTHERS,
];

/**
 * Leaves of the environment only what Eddy reads. Libraries that list all variables at their import
 * would fail where listing is not granted, and whatever secrets the environment has are not theirs
 * to see; hence this comes before they are imported.
 */
export function narrowEnvironment(): void {
  const entries = ENVIRONMENT_VARIABLES.map((name) => [name, Deno.env.get(name)] as const);
  const env = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  Object.defineProperty(process, "env", { value: env, writable: true, configurable: true });
}
