import { isDigest } from "../../oci/digest.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { ContainerdClient } from "./client.ts";
import type { Digest } from "../../oci/digest.ts";
import { type Envelope, methods } from "./methods.ts";
import { messageCodec } from "./proto.ts";

/** A change reported by containerd. */
export type ContainerdEvent =
  | { readonly type: "image"; readonly name: string }
  | { readonly type: "content-create" | "content-delete"; readonly digest: Digest };

const imageEvent = messageCodec<{ name: string }>("ImageEvent");
const contentEvent = messageCodec<{ digest: string }>("ContentEvent");

/**
 * Subscribes to image events (every containerd) and content events (2.x) of the client's namespace
 * and passes each on, until the signal aborts.
 *
 * @throws {ContainerdError} when the subscription fails or ends.
 */
export async function receiveEvents(
  client: ContainerdClient,
  onEvent: (event: ContainerdEvent) => void,
  { signal }: Cancellable,
): Promise<void> {
  const filters = [`namespace==${JSON.stringify(client.namespace)},topic~="^/(images|content)/"`];
  const settings = { signal, timeoutMs: Infinity };
  for await (const envelope of client.stream(methods.stream.subscribe, { filters }, settings)) {
    const event = envelope.namespace === client.namespace ? parse(envelope) : undefined;
    if (event !== undefined) onEvent(event);
  }
  throw new Error("containerd ended the subscription to its events");
}

/** Undefined for events that are irrelevant or malformed. */
function parse({ topic, event }: Envelope): ContainerdEvent | undefined {
  if (event === null) return undefined;
  try {
    switch (topic) {
      case "/images/create":
      case "/images/update":
      case "/images/delete":
        return { type: "image", name: imageEvent.decode(event.value).name };
      case "/content/create":
      case "/content/delete": {
        const { digest } = contentEvent.decode(event.value);
        const type = topic === "/content/create" ? "content-create" : "content-delete";
        return isDigest(digest) ? { type, digest } : undefined;
      }
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}
