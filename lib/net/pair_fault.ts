import { messageOf } from "../async/thrown.ts";

/**
 * Why the runtime cannot use a certificate with its private key (PEM); undefined if it can. Where a
 * client shows such a pair, Deno 2.6 ends the process: a key of another certificate, a certificate of
 * version 1. A listener, which is closed at once, makes the same check and throws.
 */
export function pairFault(cert: string, key: string): string | undefined {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
