import { parseReference } from "../oci/reference.ts";
import type { StoredImage, Watcher } from "../ports.ts";
import { repositoryName } from "./repositories.ts";
import type { RepositoryContent } from "./repository_content.ts";

/** A watcher that passes everything on, and notes which repositories the content on the way is of. */
export function watchContent(watcher: Watcher, content: RepositoryContent): Watcher {
  const note = ({ name, target, present }: StoredImage) => {
    const reference = parseReference(name);
    if (reference === undefined) return;
    const repository = repositoryName(reference);
    for (const digest of [target, ...present]) content.claim(repository, digest);
  };
  return {
    async *watch(options) {
      for await (const event of watcher.watch(options)) {
        if (event.type === "sync") event.images.forEach(note);
        if (event.type === "image") note(event.image);
        if (event.type === "content") {
          for (const source of event.sources) content.claim(repositoryName(source), event.digest);
        }
        yield event;
      }
    },
  };
}
