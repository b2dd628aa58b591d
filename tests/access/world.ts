import { knownRepositories, restoreRepositories } from "../../lib/access/keep_repositories.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import type { Outsider } from "../../lib/ports/access.ts";
import type { StoredImage } from "../../lib/ports/store.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import { authorizerRig, digestOf, type Holding, pathOf, tell, USER } from "./authorizer_rig.ts";

/** Digests: `s` and `t` are in private repositories alone. */
const [A, B, E, S, T, X, Y] = [..."abef012"].map(digestOf) as [
  ...[Digest, Digest, Digest, Digest, Digest, Digest, Digest],
];
export const SECRETS: ReadonlySet<Digest> = new Set([S, T]);

/** What upstream has. */
const HOLDINGS: Record<string, Holding> = {
  "docker.io/library/one": { tags: { v1: A }, digests: [A, B, X] },
  "ghcr.io/open/two": { tags: { v1: X }, digests: [X, Y] },
  "evil.example/app": { tags: { v1: E }, digests: [E] },
  "evil.example/other": { guarded: true, tags: { v1: E }, digests: [E] },
  "ghcr.io/acme/closed": { private: true, tags: { v1: S }, digests: [S, X] },
  "host.test:5000/team/closed": { private: true, tags: { v1: T }, digests: [T, S, Y] },
};
const IS_PUBLIC = (name: string) => HOLDINGS[name] !== undefined && !HOLDINGS[name].private;

/** Names of images of private repositories. */
export const PRIVATE: readonly string[] = [
  "ghcr.io/acme/closed:v1",
  "host.test:5000/team/closed:v1",
  "gone.example/app:v1",
];

/** Images, and all that their manifests name: those of `evil.example` name what is not their own. */
export const IMAGES: readonly (readonly [name: string, digests: readonly Digest[]])[] = [
  ["docker.io/library/one:v1", [A, B, X]],
  ["ghcr.io/open/two:v1", [X, Y]],
  ["ghcr.io/acme/closed:v1", [S, X]],
  ["host.test:5000/team/closed:v1", [T, S, Y]],
  ["evil.example/app:v1", [E, S, T, B]],
  ["evil.example/other:v1", [E, S, T]],
  // A name that nobody upstream knows.
  ["gone.example/app:v1", [A, S]],
];
export const ALL: readonly Digest[] = [A, B, E, S, T, X, Y];

/** A node in such a world, to which anything may happen. */
export class World {
  #rig = authorizerRig(HOLDINGS);
  #stop = new AbortController();
  #running: Promise<void>;
  /** Names of the images that there are. */
  readonly #images = new Set<string>();
  /** Content that is there. */
  readonly #held = new Set<Digest>();
  /** What outsiders were given that they must not get, while the node heard of something. */
  readonly leaks: string[] = [];
  #time = 1_000_000_000_000;
  #asked = 0;

  constructor() {
    this.#running = this.#rig.inquiries.run(this.#stop);
  }

  /** An image is pulled past the authorizer: its content comes first, and is perhaps told of. */
  async pull(index: number, told: boolean): Promise<void> {
    const [name, digests] = IMAGES[index] ?? ["", []];
    // What is not upstream cannot be pulled, only named.
    const own = digests.filter((digest) => !this.#isForeign(name, digest));
    for (const digest of own) this.#held.add(digest);
    const { registry = "", repository = "" } = parseReference(name) ?? {};
    const source = { registry: registry.replace(/:\d+$/, ""), repository, portless: true };
    if (told) {
      await this.#tell(
        ...own.map((digest) => ({ type: "content", digest, sources: [source] }) as const),
      );
    }
    // Images that were there before are looked at again, in any order.
    const others = [...this.#images].map((other) => this.#image(other));
    this.#images.add(name);
    await this.#tell(
      ...[...others, this.#image(name)].map((image) => ({ type: "image", image }) as const),
    );
  }

  /** An image is removed; its content is, or stays for some reason. */
  async remove(index: number, collected: boolean): Promise<void> {
    const [name = ""] = IMAGES[index] ?? [];
    if (!this.#images.delete(name)) return;
    const needed = new Set([...this.#images].flatMap((other) => this.#image(other).present));
    if (collected) {
      for (const digest of this.#held) if (!needed.has(digest)) this.#held.delete(digest);
    }
    await this.#tell({ type: "delete", name });
  }

  async sync(): Promise<void> {
    await this.#tell({ type: "sync", images: [...this.#images].map((name) => this.#image(name)) });
  }

  /** The node's client pulls through the authorizer, or asks as if it did. */
  async ask(index: number, digest: Digest | undefined, secret: boolean): Promise<void> {
    const [name = "", digests = []] = IMAGES[index] ?? [];
    // No pull gets as far as to ask for what its manifest names and its registry does not have.
    if (digest !== undefined && this.#isForeign(name, digest)) return;
    const text = digest === undefined ? name : `blob ${name.replace(/:v1$/, "")}@${digest}`;
    const admission = await this.#rig.admit(text, secret ? USER : undefined);
    if (admission.type !== "serve") return;
    const layers = digests.map((digest) => ({ digest, mediaType: "x/y", size: 1 }));
    this.#rig.authorizer.learn(
      pathOf(name).reference,
      new TextEncoder().encode(JSON.stringify({ layers })),
    );
  }

  /** Requests by names that nobody has. */
  async invent(count: number): Promise<string[]> {
    const answers: string[] = [];
    for (let index = 0; index < count; index++) {
      const digest = ALL[index % ALL.length] ?? A;
      if (!SECRETS.has(digest)) continue;
      answers.push(
        await this.outsider(`made.up/${this.#asked++}`, digest, { stranger: index % 2 === 0 }),
      );
    }
    return answers;
  }

  /** What somebody is answered who asks for content; what is not there is not given either. */
  async outsider(name: string, digest: Digest, outsider: Partial<Outsider> = {}): Promise<string> {
    if (!this.#held.has(digest) && !outsider.arriving) return "refused-absent";
    return await this.#rig.outsider(`blob ${name.replace(/:v1$/, "")}@${digest}`, outsider);
  }

  /** What somebody is answered who asks what is in a repository. */
  names(name: string, outsider: Partial<Outsider> = {}): string {
    const { reference } = pathOf(name);
    return this.#rig.authorizer.admitNames(reference, { proven: false, ...outsider });
  }

  isKnownPrivate(name: string): boolean {
    const { registry, repository } = pathOf(name).reference;
    return this.#rig.repositories.visibility(`${registry}/${repository}`) === "private";
  }

  /** What is known is written down and read by another that starts. */
  async restart(): Promise<void> {
    await this.end();
    const known = knownRepositories(this.#rig, this.#time);
    const { trouble } = this.#rig.upstream;
    this.#rig = authorizerRig(HOLDINGS);
    this.#rig.upstream.trouble = trouble;
    restoreRepositories(this.#rig, JSON.parse(JSON.stringify(known)), this.#time);
    this.#stop = new AbortController();
    this.#running = this.#rig.inquiries.run(this.#stop);
    await this.sync();
  }

  async advance(ms: number): Promise<void> {
    this.#time += ms;
    await this.#rig.clock.advance(ms);
  }

  outage(begins: boolean): void {
    this.#rig.upstream.trouble = begins ? "unreachable" : undefined;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** What upstream gives to everybody and an image here that names it is of. */
  anybodys(): { readonly name: string; readonly digest: Digest }[] {
    return [...this.#images].flatMap((image) => {
      const name = image.replace(/:v1$/, "");
      if (!IS_PUBLIC(name)) return [];
      return this.#image(image).present.filter((digest) => !this.#isForeign(image, digest))
        .map((digest) => ({ name, digest }));
    });
  }

  #image(name: string): StoredImage {
    const [, digests = []] = IMAGES.find(([other]) => other === name) ?? [];
    const [target = A] = digests;
    return { name, target, present: digests.filter((digest) => this.#held.has(digest)) };
  }

  #isForeign(image: string, digest: Digest): boolean {
    const holding = HOLDINGS[image.replace(/:v1$/, "")];
    return holding !== undefined && !holding.digests.includes(digest);
  }

  async #tell(...events: readonly StoreEvent[]): Promise<void> {
    for await (const { type } of tell(this.#rig, events, (digest) => this.#held.has(digest))) {
      await this.#look(`at ${type}`);
    }
  }

  /** Somebody asks for all secrets just now. */
  async #look(when: string): Promise<void> {
    for (const secret of SECRETS) {
      const answer = await this.outsider("docker.io/library/one", secret);
      if (answer === "open") this.leaks.push(`${secret} ${when}`);
    }
    for (const name of PRIVATE) {
      if (this.names(name) === "open") this.leaks.push(`names in ${name} ${when}`);
    }
  }
}
