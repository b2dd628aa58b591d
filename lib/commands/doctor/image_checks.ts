import { distributedChildren, manifestChildren } from "../../oci/manifest.ts";
import { detectMediaType, isIndexMediaType, isManifestMediaType } from "../../oci/media_type.ts";
import { formatDistributionPath } from "../../oci/path.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import type { AdvertisedContent } from "../../observability/debug/debug_source.ts";
import type { Check } from "../../ports/check.ts";
import { failed, ok, skipped, warning } from "../../agent/preflight.ts";
import { digestOf, isDigest } from "../../oci/digest.ts";
import { type AgentClient, type AgentReply, NO_REPLY, refusalOf } from "./agent_client.ts";

/** Bound of the images that are tried until one is served. */
const MAX_CANARIES = 10;
/** Reasons that concern the image, not the mirror. */
const DECIDED = new Set(["unauthorized", "absent-upstream", "upstream-unasked", "filtered"]);
const LOOK_FURTHER = "see /debug/requests and the agent's log for the reason";
/** Bound of the digests that are tried to find the manifest of an image without a tag. */
const MAX_TOPS = 200;
/** Bound of the images whose layers are checked. */
const MAX_IMAGES = 50;

/** An advertised image, and how to request it. */
interface Image {
  readonly name: string;
  readonly reference: Reference;
  /** Its tag is advertised, so it can be requested by tag. */
  readonly byTag: boolean;
  readonly digests: ReadonlySet<string>;
}

/** Checks that the node's images are served at the mirror endpoint, and are complete. */
export async function checkImages(
  client: AgentClient,
  content: readonly AdvertisedContent[],
  namespace: string | undefined,
): Promise<Check[]> {
  const images = content.flatMap(toImage);
  const names = checkNames(content);
  if (images.length > 0) {
    return [await checkCanary(client, images), await checkWhole(client, images), ...names];
  }
  if (names.length > 0) {
    return [skipped("canary pull", "no image has a full name that could be pulled"), ...names];
  }
  if (namespace === undefined) return [skipped("canary pull", "no image is advertised")];
  return [
    failed(
      "canary pull",
      `no image in containerd's namespace ${namespace} is advertised`,
      "set --containerd-namespace to that of kubelet (k8s.io), and look at --registry-filters and " +
        "--mirrored-registries",
    ),
  ];
}

/** Checks for names without a registry: peers look tags up by full names. */
function checkNames(content: readonly AdvertisedContent[]): Check[] {
  const short = content.flatMap(({ image }) =>
    image === undefined || isDigest(image) || parseReference(image) !== undefined ? [] : [image]
  );
  if (short.length === 0) return [];
  return [
    warning(
      "names of images",
      `${short.length} images have names without a registry, such as ${
        short[0]
      }: peers find their ` +
        "content by digest, not by tag",
      "name them in full, such as registry.example/app:1.0",
    ),
  ];
}

function toImage({ image, tags, digests }: AdvertisedContent): Image[] {
  const reference = image === undefined ? undefined : parseReference(image);
  if (image === undefined || reference === undefined || digests.length === 0) return [];
  return [{ name: image, reference, byTag: tags.length > 0, digests: new Set(digests) }];
}

/** Pulls a manifest and its first child as containerd would, from this node's images. */
async function checkCanary(client: AgentClient, images: readonly Image[]): Promise<Check> {
  const name = "canary pull";
  const tried = images.toSorted((a, b) => Number(b.byTag) - Number(a.byTag)).slice(0, MAX_CANARIES);
  for (const image of tried) {
    const manifest = await askTop(client, image);
    if (manifest.status === 200) return await checkContent(client, image, manifest);
    if (isDecided(manifest)) continue;
    const what = refusalOf(manifest) || (manifest.status ?? manifest.error);
    return failed(name, `${image.name} is here, but the mirror answered ${what}`, LOOK_FURTHER);
  }
  return skipped(name, `${tried.length} images need credentials, or upstream does not know them`);
}

/** Whether the refusal concerns the image: it needs credentials, or upstream refuses it. */
function isDecided(reply: AgentReply): boolean {
  return reply.status === 401 || DECIDED.has(refusalOf(reply));
}

async function checkContent(
  client: AgentClient,
  image: Image,
  manifest: AgentReply,
): Promise<Check> {
  const name = "canary pull";
  const { registry, repository } = image.reference;
  const told = manifest.headers.get("docker-content-digest");
  if (told !== digestOf(manifest.body)) {
    return failed(name, `${image.name} came with content that is not ${told}`, LOOK_FURTHER);
  }
  const child = manifestChildren(manifest.body).find(({ digest }) => image.digests.has(digest));
  if (child === undefined) return ok(name, `${image.name} resolves to ${told.slice(0, 19)}…`);
  const kind = isManifestMediaType(child.mediaType) ? "manifest" : "blob";
  const blob = await ask(client, {
    kind,
    reference: { registry, repository, digest: child.digest },
  });
  return (blob.status === 200 && digestOf(blob.body) === child.digest) || isDecided(blob)
    ? ok(name, `${image.name} comes through ${client.targets[0]}`)
    : failed(name, `${child.digest} of ${image.name} did not come (${blob.status})`, LOOK_FURTHER);
}

/** Checks for layers that manifests name and the node does not hold. */
async function checkWhole(client: AgentClient, images: readonly Image[]): Promise<Check> {
  const name = "images are whole";
  const looked = images.slice(0, MAX_IMAGES);
  const torn: string[] = [];
  let read = 0;
  for (const image of looked) {
    const lacks = await lacksLayers(client, image);
    if (lacks !== undefined) read++;
    if (lacks) torn.push(image.name);
  }
  if (read === 0) return skipped(name, "no manifest could be read");
  if (torn.length === 0) return ok(name, `all layers of ${read} images are here`);
  return warning(
    name,
    `${torn.length} of ${read} images lack layers, such as ${torn[0]}`,
    "containerd dropped them once unpacked (discard_unpacked_layers) before a lease kept them, the " +
      "lease let them go for lack of space, or they were not fetched as their snapshots were " +
      "there already; to share them, remove all images that have " +
      "these layers and pull them again",
  );
}

/** Undefined if the image's manifest needs credentials. */
async function lacksLayers(client: AgentClient, image: Image): Promise<boolean | undefined> {
  const { registry, repository } = image.reference;
  const read = async (reference: Reference) =>
    (await ask(client, { kind: "manifest", reference })).body;
  const { status, body: top } = await askTop(client, image);
  if (status !== 200) return undefined;
  if (!isIndexMediaType(detectMediaType(top))) return lacksChildren(top, image);
  // Usually the node holds only its own platform of an index.
  for (
    const { digest } of manifestChildren(top).filter(({ digest }) => image.digests.has(digest))
  ) {
    if (lacksChildren(await read({ registry, repository, digest }), image)) return true;
  }
  return false;
}

/** The root manifest of an image; without a tag, the first manifest among its digests. */
async function askTop(client: AgentClient, image: Image): Promise<AgentReply> {
  const { registry, repository, digest } = image.reference;
  if (image.byTag || digest !== undefined) {
    return await ask(client, { kind: "manifest", reference: image.reference });
  }
  let reply = NO_REPLY;
  for (const each of [...image.digests].filter(isDigest).slice(0, MAX_TOPS)) {
    const reference = { registry, repository, digest: each };
    reply = await ask(client, { kind: "manifest", reference });
    if (reply.status === 200) break;
  }
  return reply;
}

function lacksChildren(manifest: Uint8Array, image: Image): boolean {
  return distributedChildren(manifest).some(({ digest }) => !image.digests.has(digest));
}

function ask(client: AgentClient, path: Parameters<typeof formatDistributionPath>[0]) {
  return client.registry(`${client.targets[0]}${formatDistributionPath(path)}`);
}
