import { isIP } from "node:net";
import { withoutBrackets } from "../net/host_port.ts";
import { Networks } from "../net/ip.ts";

/** Reads an environment variable. */
export type ReadEnv = (name: string) => string | undefined;

/** Tells whether requests to a URL use a proxy. */
export type IsProxied = (url: URL) => boolean;

/**
 * Reads from the environment which requests the runtime's `fetch` sends through a proxy:
 * `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, and `NO_PROXY` with names, domains, addresses,
 * networks, and `*`.
 *
 * Source: Deno ext/fetch/proxy.rs, which follows reqwest and curl.
 */
export function createIsProxied(env: ReadEnv): IsProxied {
  const isSet = (name: string) =>
    isProxyUrl(env(name.toUpperCase())) || isProxyUrl(env(name.toLowerCase()));
  const all = isSet("all_proxy");
  const schemes: Readonly<Record<string, boolean>> = {
    "http:": all || isSet("http_proxy"),
    "https:": all || isSet("https_proxy"),
  };
  const isExempt = exemptions(env("NO_PROXY") ?? env("no_proxy") ?? "");
  return ({ protocol, hostname }) => schemes[protocol] === true && !isExempt(hostname);
}

/** The scheme may be omitted; an invalid proxy URL is ignored. */
function isProxyUrl(text: string | undefined): boolean {
  if (text === undefined || text === "") return false;
  return URL.canParse(text.includes("://") ? text : `http://${text}`) &&
    /^(?:https?:|socks5h?:|(?![^/]*:\/\/))/i.test(text);
}

function exemptions(list: string): (hostname: string) => boolean {
  const networks = new Networks();
  const names: string[] = [];
  for (const entry of list.split(",").map((text) => text.trim())) {
    if (!networks.add(entry)) names.push(entry.replace(/^\./, ""));
  }
  return (hostname) => {
    const host = withoutBrackets(hostname);
    if (isIP(host) !== 0) return networks.has(host);
    // Names are case-sensitive, as in the runtime.
    return names.some((name) =>
      name !== "" && (name === "*" || host === name || host.endsWith(`.${name}`))
    );
  };
}
