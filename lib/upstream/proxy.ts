import { BlockList, isIP } from "node:net";
import { canonicalAddress } from "../net/canonical_address.ts";

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
  const networks = new BlockList();
  const names: string[] = [];
  for (const entry of list.split(",").map((text) => text.trim())) {
    const [, address = "", prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    const bits = Number(prefix ?? longest);
    if (bits > longest || longest < 0) names.push(entry.replace(/^\./, ""));
    else networks.addSubnet(address, bits, longest === 32 ? "ipv4" : "ipv6");
  }
  return (hostname) => {
    const host = hostname.replace(/^\[|\]$/g, "");
    const family = isIP(host);
    if (family !== 0) {
      return networks.check(canonicalAddress(host), family === 4 ? "ipv4" : "ipv6");
    }
    // Names are case-sensitive, as in the runtime.
    return names.some((name) =>
      name !== "" && (name === "*" || host === name || host.endsWith(`.${name}`))
    );
  };
}
