import { MAX_MESSAGE_BYTES } from "./mdns_message.ts";
import type { SiteInterface } from "./site_interfaces.ts";

/** Group and port of multicast DNS (RFC 6762, section 3). */
const GROUP = "224.0.0.251";
const PORT = 5353;

/** Multicast datagrams on one link. */
export interface MulticastLink {
  send(message: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Datagrams from others and from this node itself; ends when the link is closed. */
  receive(): AsyncIterable<Uint8Array>;
  close(): void;
}

/** Opens the link of an interface. @throws if the group cannot be joined there. */
export type OpenMulticastLink = (own: SiteInterface) => Promise<MulticastLink>;

/**
 * Joins the group on one interface. A socket bound to the interface's address sends on that
 * interface, whatever the routes are; one bound to the group receives nothing else. A datagram from
 * outside of the subnet did not arrive on the interface.
 */
export async function openMulticastLink(own: SiteInterface): Promise<MulticastLink> {
  const shared = { transport: "udp", reuseAddress: true, loopback: true, port: PORT } as const;
  using opening = new DisposableStack();
  const receiver = Deno.listenDatagram({ ...shared, hostname: GROUP });
  opening.defer(() => receiver.close());
  await receiver.joinMulticastV4(GROUP, own.address);
  const sender = Deno.listenDatagram({ ...shared, hostname: own.address });
  opening.move();
  return {
    async send(message) {
      await sender.send(message, { transport: "udp", hostname: GROUP, port: PORT });
    },
    async *receive() {
      const buffer = new Uint8Array(MAX_MESSAGE_BYTES + 1);
      while (true) {
        let received: [Uint8Array, Deno.Addr];
        try {
          received = await receiver.receive(buffer);
        } catch (error) {
          if (isClosed(error)) return;
          throw error;
        }
        const [message, from] = received;
        if (from.transport === "udp" && own.contains(from.hostname)) yield message.slice();
      }
    },
    close() {
      receiver.close();
      sender.close();
    },
  };
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}
