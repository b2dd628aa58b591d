import process from "node:process";
import { OPTION_ROWS } from "../config/options.ts";

/** Variables besides those of options, with their readers. */
const OTHERS = [
  // systemd: notifications (sd_notify(3)), and a directory for the socket.
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
  "RUNTIME_DIRECTORY",
  // Kubernetes: the address of the API server, in every pod.
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

/** All environment variables that Eddy reads; the compiled program may read no others. */
export const ENVIRONMENT_VARIABLES: readonly string[] = [
  ...OPTION_ROWS.map(({ env }) => env),
  "EDDY_CONFIG",
  ...OTHERS,
];

/**
 * Removes all variables that Eddy does not read. It runs before libraries are imported: some list
 * all variables, which fails without the permission, and must not see secrets in the environment.
 */
export function narrowEnvironment(): void {
  const entries = ENVIRONMENT_VARIABLES.map((name) => [name, Deno.env.get(name)] as const);
  const env = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  Object.defineProperty(process, "env", { value: env, writable: true, configurable: true });
}
