import { isIP } from "node:net";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";

/** A parsed bootstrap peer. */
export interface NamedPeer {
  readonly id?: string;
  /** IP address without brackets, or a DNS name. */
  readonly host: string;
  readonly port?: number;
}

const HOST_PROTOCOLS = new Set(["ip4", "ip6", "dns", "dns4", "dns6"]);
const DNS_NAME =
  /^(?=.{1,253}$)[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?)*\.?$/;

/**
 * Parses a bootstrap peer: `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or a multiaddr
 * `/ip4|ip6|dns|dns4|dns6/HOST[/tcp/PORT][/p2p/ID]`.
 *
 * @throws {TypeError} with the text and the expected form.
 */
export function parsePeer(text: string): NamedPeer {
  const peer = text.startsWith("/") ? fromMultiaddr(text) : fromHostPort(text);
  if (peer === undefined) {
    throw new TypeError(
      `bootstrap peer ${
        JSON.stringify(text.slice(0, 200))
      } is malformed, want HOST, HOST:PORT or /ip4/ADDRESS/tcp/PORT[/p2p/ID]`,
    );
  }
  return peer;
}

function fromMultiaddr(text: string): NamedPeer | undefined {
  let address: Multiaddr;
  try {
    address = multiaddr(text);
  } catch {
    return undefined;
  }
  const [host, ...rest] = address.getComponents();
  if (host?.value === undefined || !HOST_PROTOCOLS.has(host.name)) return undefined;
  let port: number | undefined;
  let id: string | undefined;
  for (const { name, value } of rest) {
    if (name === "tcp" && port === undefined && id === undefined) port = toPort(value);
    else if (name === "p2p" && id === undefined) id = toPeerId(value);
    else return undefined;
    if ((name === "tcp" ? port : id) === undefined) return undefined;
  }
  return {
    host: host.value,
    ...(port === undefined ? {} : { port }),
    ...(id === undefined ? {} : { id }),
  };
}

function fromHostPort(text: string): NamedPeer | undefined {
  if (isIP(text) !== 0) return { host: text };
  const match = /^(?:\[([^\]]*)\]|([^:\[\]]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, ipv6, name, digits] = match;
  const host = ipv6 ?? name ?? "";
  const isValid = ipv6 === undefined ? isIP(host) === 4 || isName(host) : isIP(host) === 6;
  if (!isValid) return undefined;
  if (digits === undefined) return { host };
  const port = toPort(digits);
  return port === undefined ? undefined : { host, port };
}

/** A name whose last label is a number is a mistyped IPv4 address (RFC 3696, section 2). */
function isName(host: string): boolean {
  return DNS_NAME.test(host) && !/(^|\.)[0-9]+\.?$/.test(host);
}

function toPort(text: string | undefined): number | undefined {
  const port = Number(text);
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? port : undefined;
}

function toPeerId(text: string | undefined): string | undefined {
  try {
    return peerIdFromString(text ?? "").toString();
  } catch {
    return undefined;
  }
}
