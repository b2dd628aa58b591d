import type { AdvertisedContent } from "../debug_source.ts";
import { formatCount, shortDigest } from "../format.ts";
import { Badge, Card, Empty } from "./layout.tsx";

const MAX_IMAGES = 100;

/** Entries with the text in their name, a tag or a digest. */
export function searchContent(
  content: readonly AdvertisedContent[],
  query: string,
): readonly AdvertisedContent[] {
  const wanted = query.toLowerCase();
  if (wanted === "") return content;
  return content.filter(({ image, tags, digests }) =>
    [image ?? "", ...tags, ...digests].some((text) => text.toLowerCase().includes(wanted))
  );
}

/** What this node advertises. */
export function ContentPage(
  { content, query }: { content: readonly AdvertisedContent[]; query: string },
) {
  const found = searchContent(content, query);
  const shown = found.slice(0, MAX_IMAGES);
  const note = found.length === content.length
    ? formatCount(content.length)
    : `${formatCount(found.length)} of ${formatCount(content.length)}`;
  return (
    <>
      <h1>What this node advertises</h1>
      <p class="lead">
        Peers find each of these digests and tags here. Only what is wholly present and passes the
        filters is advertised.
      </p>
      <form class="search" method="get" role="search">
        <input
          type="search"
          name="q"
          value={query}
          placeholder="Image, tag or digest"
          aria-label="Search"
          autocomplete="off"
          spellcheck={false}
        />
        <button type="submit">Search</button>
      </form>
      <Card title="Images" note={note}>
        {shown.length === 0
          ? <Empty>{query === "" ? "Nothing is advertised." : "Nothing matches."}</Empty>
          : <ul class="images">{shown.map((entry) => <Entry entry={entry} />)}</ul>}
        {shown.length < found.length
          ? <Empty>{formatCount(found.length - shown.length)} more: search for them.</Empty>
          : null}
      </Card>
    </>
  );
}

/** Listed digests per image. */
const MAX_DIGESTS = 200;

function Entry({ entry: { image, tags, digests } }: { entry: AdvertisedContent }) {
  return (
    <li>
      <details>
        <summary>
          <span class="name">
            {image ?? "content without an image, e.g. of a pull in progress"}
          </span>
          <span class="facts">
            {tags.length > 0
              ? <Badge kind="accent">tag</Badge>
              : image === undefined || image.includes("@")
              ? null
              : <Badge kind="plain">digests only</Badge>}
            <span class="note">
              {formatCount(digests.length)} {digests.length === 1 ? "digest" : "digests"}
            </span>
          </span>
        </summary>
        <ul class="digests mono">
          {digests.slice(0, MAX_DIGESTS).map((digest) => (
            <li>
              <a href={`/debug/measure?image=${encodeURIComponent(digest)}`} title={digest}>
                {shortDigest(digest)}
              </a>
            </li>
          ))}
        </ul>
        {tags.map((tag) => (
          <a class="action" href={`/debug/measure?image=${encodeURIComponent(tag)}`}>
            Measure this tag
          </a>
        ))}
      </details>
    </li>
  );
}
