import type { Digest } from "../oci/digest.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Log } from "../ports/log.ts";
import type { Store } from "../ports/store.ts";
import type { ContentSource, StoreEvent, Watcher } from "../ports/watcher.ts";
import type { Knowledge } from "./knowledge.ts";
import { repositoryName } from "./repositories.ts";

/** What {@link watchContent} works with. */
export interface WatchContentCollaborators extends Knowledge {
  /** Asked whether content without an image is still there. */
  readonly store: Pick<Store, "descriptor">;
  readonly log: Log;
  /** Called when other repositories may be held. */
  readonly onChange: () => void;
}

/**
 * A watcher that passes all events on, and notes which repositories their content is of. It
 * completes a source by the registry's port, if clients of this node named it.
 */
export function watchContent(watcher: Watcher, collaborators: WatchContentCollaborators): Watcher {
  return {
    async *watch(options) {
      for await (const event of watcher.watch(options)) {
        yield note(event, collaborators);
        if (event.type === "sync") await forgetLost(collaborators, options);
      }
    },
  };
}

function note(event: StoreEvent, collaborators: WatchContentCollaborators): StoreEvent {
  const { repositories, content, onChange } = collaborators;
  const { held } = content;
  const wasAsked = (name: string, digest: Digest) => content.askedFor(digest).includes(name);
  switch (event.type) {
    case "sync":
      held.sync(event.images, wasAsked, (name) => repositories.allowsAnonymousPull(name));
      content.adopt();
      repositories.holdOnly(held.names());
      onChange();
      return event;
    case "image": {
      const name = held.note(event.image, wasAsked);
      content.adopt(event.image.present);
      if (name !== undefined) repositories.hold(name);
      onChange();
      return event;
    }
    case "content": {
      const { digest } = event;
      const sources = event.sources.flatMap((source) => withPort(source, digest, collaborators));
      for (const source of sources) {
        const name = repositoryName(source);
        if (source.portless) held.label(digest, name);
        else held.claim(digest, name);
        repositories.hold(name);
      }
      content.adopt([digest]);
      return { ...event, sources };
    }
    case "delete":
      held.remove(event.name);
      return event;
  }
}

function withPort(
  source: ContentSource,
  digest: Digest,
  { content }: WatchContentCollaborators,
): ContentSource[] {
  const { repository, portless = false } = source;
  if (!portless) return [source];
  const names = content.withPort(digest, repositoryName(source));
  if (names.length === 0) return [source];
  return names.map((name) => ({ registry: name.slice(0, name.indexOf("/")), repository }));
}

/** Content is not forgotten because the store cannot answer. */
async function forgetLost(
  { repositories, content, store, log }: WatchContentCollaborators,
  options: Cancellable,
): Promise<void> {
  const loose = [...content.held.loose(), ...content.restored()];
  for (const digest of loose) {
    if (options.signal.aborted) return;
    try {
      if (await store.descriptor(digest, options) === undefined) content.forget(digest);
    } catch (error) {
      log.debug("could not ask the store for content", { digest, error });
      return;
    }
  }
  if (loose.length > 0) repositories.holdOnly(content.held.names());
}
