import { noise } from "@chainsafe/libp2p-noise";
import type { ConnectionEncrypter, Libp2p } from "@libp2p/interface";
import { hkdfSync } from "node:crypto";
import { closedNoiseProtocol } from "../../oci/peer_protocol.ts";
import { requireMembers } from "./library.ts";
import { noiseCrypto } from "./noise_crypto.ts";

/** Bytes derived from a secret: SHA-256's length, and enough to distinguish two names. */
const PROLOGUE_BYTES = 32;
const NAME_BYTES = 8;
/** Separates these derived keys from any other use of the secret (RFC 5869, info). */
const PROLOGUE_LABEL = "eddy router prologue 1";
const NAME_LABEL = "eddy router name 1";

type Components = Parameters<ReturnType<typeof noise>>[0];

/** The used part of the library's upgrader; not in a public type. */
interface Upgrader {
  /** Encrypters by protocol, in order of preference. Read for each connection. */
  readonly connectionEncrypters: Map<string, ConnectionEncrypter>;
}

/**
 * A network for nodes with a common secret: each connection is secured by a protocol whose name
 * (`/eddy/noise/ID`) and Noise prologue are derived from the secret by HKDF-SHA256 (RFC 5869). Both
 * sides of a handshake must have the same prologue (Noise revision 34, section 6); it is never
 * sent. Nodes with several secrets can connect to all nodes that share one of them.
 */
export class ClosedNetwork {
  #secrets: readonly string[];
  #components: Components | undefined;

  /** @param secrets at least one, in order of preference. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  /** Secures the libp2p node's connections; for its `connectionEncrypters`. */
  readonly encrypter = (components: Components): ConnectionEncrypter => {
    this.#components = components;
    const [first = ""] = this.#secrets;
    return createEncrypter(first, components);
  };

  /** Enables the other secrets; the libp2p node must exist. */
  open(): void {
    this.#install();
  }

  /**
   * Replaces the secrets, and closes the connections that use none of the new ones, so that a node
   * with only a revoked secret is excluded.
   */
  replace(secrets: readonly string[], node: Libp2p): void {
    this.#secrets = secrets;
    const valid = this.#install();
    for (const connection of node.getConnections()) {
      if (valid.has(connection.encryption ?? "")) continue;
      connection.abort(new Error("the key of this connection is no longer valid"));
    }
  }

  #install(): Set<string> {
    const components = this.#components;
    if (components === undefined) throw new Error("the libp2p node has not been made");
    const { connectionEncrypters } = components.upgrader as unknown as Upgrader;
    requireMembers("libp2p", { connectionEncrypters }, { connectionEncrypters: "object" });
    requireMembers("libp2p", connectionEncrypters, { clear: "function", set: "function" });
    connectionEncrypters.clear();
    for (const secret of this.#secrets) {
      const encrypter = createEncrypter(secret, components);
      connectionEncrypters.set(encrypter.protocol, encrypter);
    }
    return new Set(connectionEncrypters.keys());
  }
}

function createEncrypter(secret: string, components: Components): ConnectionEncrypter {
  const prologueBytes = derive(secret, PROLOGUE_LABEL, PROLOGUE_BYTES);
  const encrypter = noise({ crypto: noiseCrypto(), prologueBytes })(components);
  encrypter.protocol = protocolOf(secret);
  return encrypter;
}

/** Protocol name of a secret; the secret cannot be derived from it. */
export function protocolOf(secret: string): string {
  return closedNoiseProtocol(derive(secret, NAME_LABEL, NAME_BYTES).toHex());
}

function derive(secret: string, label: string, length: number): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, "", label, length));
}
