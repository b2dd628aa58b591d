import { isIP } from "node:net";
import { canonicalIp, isLoopback, Networks } from "./ip.ts";

/** Reads an environment variable. */
type ReadEnv = (name: string) => string | undefined;

/** The URL of the proxy for a request; undefined: it is sent directly. */
export type FindProxy = (url: URL) => URL | undefined;

const PROXY_SCHEMES = new Set(["http:", "https:", "socks5:", "socks5h:"]);

/**
 * Chooses the proxy of a request by `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their names in
 * lower case, as containerd does. Requests to this machine's loopback never use a proxy.
 *
 * Source: Go's net/http `ProxyFromEnvironment` (golang.org/x/net/http/httpproxy).
 */
export function proxyFromEnvironment(
  env: ReadEnv = (name) => Deno.env.get(name),
): FindProxy {
  const read = (name: string) => env(name) || env(name.toLowerCase()) || "";
  const proxies: Readonly<Record<string, URL | undefined>> = {
    "http:": parseProxy(read("HTTP_PROXY")),
    "https:": parseProxy(read("HTTPS_PROXY")),
  };
  const isExempt = parseExemptions(read("NO_PROXY"));
  return (url) => {
    const proxy = proxies[url.protocol];
    if (proxy === undefined) return undefined;
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    if (host === "localhost" || isLoopback(host)) return undefined;
    return isExempt(host, port) ? undefined : proxy;
  };
}

/** The scheme may be omitted; an invalid URL is ignored. */
function parseProxy(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url !== null && PROXY_SCHEMES.has(url.protocol) && url.host !== "") return url;
  return text === "" || text.includes("://") ? undefined : URL.parse(`http://${text}`) ?? undefined;
}

/** One entry of `NO_PROXY`. */
type Exemption = (host: string, port: string) => boolean;

function parseExemptions(list: string): Exemption {
  const entries = list.split(",").map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== "");
  if (entries.includes("*")) return () => true;
  const exemptions = entries.map(parseExemption);
  return (host, port) => exemptions.some((matches) => matches(host, port));
}

/** An address or a network; a domain, which includes those below it; each but a network with a port. */
function parseExemption(entry: string): Exemption {
  if (entry.includes("/")) {
    const networks = new Networks();
    return networks.add(entry) ? (host) => networks.has(host) : () => false;
  }
  const [, bracketed, plain = "", wanted] =
    /^(?:\[([^\]]*)\](?=:)|([^:]*|.*:.*:.*?))(?::(\d+)?)?$/.exec(entry) ?? [];
  const name = bracketed ?? plain;
  const isPort = (port: string) => wanted === undefined || wanted === port;
  if (isIP(name) !== 0) {
    const address = canonicalIp(name);
    return (host, port) => canonicalIp(host) === address && isPort(port);
  }
  if (name === "") return () => false;
  const bare = name.startsWith("*.") ? name.slice(1) : name;
  const suffix = bare.startsWith(".") ? bare : `.${bare}`;
  const isItself = (host: string) => !bare.startsWith(".") && host === bare;
  return (host, port) =>
    isPort(port) && isIP(host) === 0 && (host.endsWith(suffix) || isItself(host));
}
