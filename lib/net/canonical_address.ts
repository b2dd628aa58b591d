import { isIPv6 } from "node:net";

/** Normalises an IP address for comparison: IPv6 in its shortest form and without a zone. */
export function canonicalAddress(address: string): string {
  const plain = address.replace(/%.*$/, "");
  return isIPv6(plain) ? new URL(`http://[${plain}]`).hostname.slice(1, -1) : plain;
}
