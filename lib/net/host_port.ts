/** Takes the brackets off an IPv6 address as it is written before a port. */
export function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** Formats host and port as in URLs: `10.0.0.1:5000`, `[::1]:5000`. */
export function formatHostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** URL of a server on this machine, which may listen on all addresses. */
export function localUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  const everywhere = host === "" || host === "0.0.0.0" || host === "::";
  return `http://${formatHostPort(everywhere ? "127.0.0.1" : host, port)}`;
}
