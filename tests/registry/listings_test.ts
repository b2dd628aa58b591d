import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../lib/oci/media_type.ts";
import type { Reference } from "../../lib/oci/reference.ts";
import type {
  Access,
  AccessRequest,
  Admission,
  Outsider,
  PeerAdmission,
} from "../../lib/ports/access.ts";
import type { ListRequest, PeerList } from "../../lib/ports/mirror.ts";
import type { StoreEvent } from "../../lib/ports/watcher.ts";
import type { RegistryOptions } from "../../lib/registry/registry_app.ts";
import { ImageCatalog } from "../../lib/store/image_catalog.ts";
import { test } from "../support/test.ts";
import { errorCode, FakeMirror, FROM_PEER, MANIFEST, setup } from "./setup.ts";

const APP = "docker.io/team/app";
const SUBJECT = digestOf(MANIFEST);
const REFERRERS = `/v2/team/app/referrers/${SUBJECT}`;
const TAGS = "/v2/team/app/tags/list";

/** A manifest about the subject. */
function about(artifactType: string, annotations = {}, subject: string = SUBJECT): string {
  return JSON.stringify({
    ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, annotations },
    config: { mediaType: OCI_CONFIG, digest: digestOf("{}"), size: 2 },
    layers: [],
    subject: { mediaType: OCI_MANIFEST, digest: subject, size: MANIFEST.length },
  });
}

/** A mirror whose peers have lists. */
class ListingMirror extends FakeMirror {
  readonly asked: ListRequest[] = [];
  theirs: readonly PeerList[] = [];

  lists(request: ListRequest): Promise<readonly PeerList[]> {
    this.asked.push(request);
    return Promise.resolve(this.theirs);
  }

  /** Peers have this manifest, too. */
  offer(content: string, isPrivate = false): Digest {
    const bytes = new TextEncoder().encode(content);
    const digest = digestOf(bytes);
    const before = this.answer;
    this.answer = (request, options) => {
      if (request.reference.digest !== digest || (isPrivate && request.openOnly)) {
        return before(request, options);
      }
      const descriptor = { digest, size: bytes.length, mediaType: OCI_MANIFEST };
      return { found: true, descriptor, body: null, content: bytes, peer: "p", isPrivate };
    };
    return digest;
  }
}

/** Access that says the same of all content, and of each repository what it is told. */
class FakeAccess implements Access {
  readonly asked: AccessRequest[] = [];
  admission: Admission = { type: "serve", verified: true };
  content: (digest: Digest) => PeerAdmission = () => "open";
  names: PeerAdmission = "open";
  isLocal = true;

  admit(request: AccessRequest): Promise<Admission> {
    this.asked.push(request);
    return Promise.resolve(this.admission);
  }

  isLocalClient(): boolean {
    return this.isLocal;
  }

  admitPeer(
    _path: unknown,
    digest: Digest,
    _outsider?: Outsider,
  ): PeerAdmission | Promise<PeerAdmission> {
    return this.content(digest);
  }

  admitNames(_repository: Reference): PeerAdmission {
    return this.names;
  }

  learn(): void {}
}

async function rig(
  { tags = [], referrers = [], access, options = {} }: {
    readonly tags?: readonly string[];
    readonly referrers?: readonly string[];
    readonly access?: FakeAccess;
    readonly options?: Partial<RegistryOptions>;
  } = {},
) {
  const catalog = new ImageCatalog();
  const mirror = new ListingMirror();
  const s = setup(options, { catalog, mirror, ...(access === undefined ? {} : { access }) });
  s.store.add(MANIFEST);
  const images = tags.map((tag): StoreEvent => ({
    type: "image",
    image: { name: `${APP}:${tag}`, target: SUBJECT, present: [SUBJECT] },
  }));
  const held = referrers.map((content): StoreEvent => {
    const digest = s.store.add(content);
    const { subject } = JSON.parse(content);
    const found = [{ digest, subject: subject.digest }];
    const name = `${APP}@${digest}`;
    return { type: "image", image: { name, target: digest, present: [digest], referrers: found } };
  });
  const note = async (events: readonly StoreEvent[]) => {
    const watcher = catalog.follow({
      async *watch() {
        yield* events;
      },
    });
    await Array.fromAsync(watcher.watch({ signal: new AbortController().signal }));
  };
  await note([...images, ...held]);
  const hold = (images: readonly { name: string; target: Digest }[]) =>
    note(images.map((image) => ({ type: "image", image: { ...image, present: [image.target] } })));
  const list = async (path: string, headers: Record<string, string> = {}) => {
    const response = await s.request(path, { headers });
    assert.equal(response.status, 200, path);
    const document = await response.json();
    return { response, document, digests: digestsOf(document) };
  };
  return { ...s, mirror, list, hold };
}

function digestsOf({ manifests = [] }: { manifests?: { digest: string }[] }): string[] {
  return manifests.map(({ digest }) => digest);
}

/** The mirror never finds these. */
function hang(mirror: ListingMirror, isHung: (digest: string) => boolean): void {
  const { answer } = mirror;
  mirror.answer = async (request, { signal }) => {
    if (!isHung(String(request.reference.digest))) return answer(request, { signal });
    const gone = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => gone.resolve(), { once: true });
    await gone.promise;
    throw signal.reason;
  };
}

/** Digests that nobody has, before or after all others. */
function madeUp(first: "0" | "f"): string[] {
  return Array.from(
    { length: 128 },
    (_, index) => `sha256:${first.repeat(61)}${String(index).padStart(3, "0")}`,
  );
}

test("tags: what this node holds and its peers hold, once each and in order", async () => {
  const s = await rig({ tags: ["v2", "v1"] });
  s.mirror.theirs = [
    { entries: ["v3", "v1"], more: false },
    { entries: ["v0"], more: false },
  ];
  const { response, document } = await s.list(TAGS);
  assert.deepEqual(document, { name: "team/app", tags: ["v0", "v1", "v2", "v3"] });
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("link"), null);
  assert.equal(response.headers.get("docker-distribution-api-version"), "registry/2.0");
  const [{ near, openOnly } = assert.fail()] = s.mirror.asked;
  assert.deepEqual(near.map(({ tag }) => tag), ["v1", "v2", "latest"]);
  assert.equal(openOnly, false, "where all may have all");
});

test("tags: HEAD has the same headers and no body", async () => {
  const s = await rig({ tags: ["v1"] });
  const response = await s.request(TAGS, { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(
    response.headers.get("content-length"),
    '{"name":"team/app","tags":["v1"]}'.length + "",
  );
  assert.equal(await response.text(), "");
});

const ALL = Array.from({ length: 600 }, (_, index) => `v${1000 + index}`);

test("tags: pages lead through all of them, of this node and of peers that stop earlier", async () => {
  const s = await rig({ tags: ALL.filter((_, index) => index % 2 === 0) });
  const theirs = ALL.filter((_, index) => index % 3 === 0);
  s.mirror.lists = ({ last = "" }) => {
    const after = theirs.filter((tag) => tag > last);
    return Promise.resolve([{ entries: after.slice(0, 7), more: after.length > 7 }]);
  };
  for (const n of ["", "?n=50", "?n=1000"]) {
    const seen: string[] = [];
    let path: string | undefined = `${TAGS}${n}`;
    while (path !== undefined) {
      const { response, document }: Awaited<ReturnType<typeof s.list>> = await s.list(path);
      assert.ok(document.tags.length > 0 && document.tags.length <= 256);
      seen.push(...document.tags);
      path = /^<(.*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    }
    assert.deepEqual(seen, ALL.filter((_, index) => index % 2 === 0 || index % 3 === 0), n);
  }
});

test("tags: none are wanted, or none are left", async () => {
  const s = await rig({ tags: ["v1", "v2"] });
  for (const query of ["n=0", "last=v2", "last=v2&n=5"]) {
    for (const headers of [{}, FROM_PEER]) {
      const { response, document } = await s.list(`${TAGS}?${query}`, headers);
      assert.deepEqual(document.tags, [], query);
      assert.equal(response.headers.get("link"), null);
    }
  }
  assert.deepEqual((await s.list(`${TAGS}?last=v1`)).document.tags, ["v2"]);
});

test("lists: where nothing is known, clients are told to ask elsewhere", async () => {
  const s = await rig();
  for (const path of [TAGS, REFERRERS, `${REFERRERS}?artifactType=a/b`]) {
    for (const headers of [{}, FROM_PEER]) {
      const response = await s.request(path, { headers });
      assert.equal(response.status, 404, path);
      // On the former ORAS does not look for the referrers tag.
      const code = path === TAGS ? "NAME_UNKNOWN" : "MANIFEST_UNKNOWN";
      assert.equal(await errorCode(response), code);
    }
  }
  assert.equal((await s.request("/v2/team/app/tags/list?n=x")).status, 400);
  assert.equal((await s.request("/v2/team/app/referrers/x")).status, 400);
});

test("lists: what the filter keeps back is neither listed nor asked for", async () => {
  const signature = about("a/signature");
  const s = await rig({
    tags: ["v1", "secret"],
    referrers: [signature],
    options: {
      filter: ({ repository, tag, digest }) =>
        tag !== "secret" && repository === "team/app" && digest !== digestOf(signature),
    },
  });
  s.mirror.theirs = [{ entries: ["secret", "v2"], more: false }];
  assert.deepEqual((await s.list(TAGS)).document.tags, ["v1", "v2"]);
  s.mirror.theirs = [];
  assert.equal((await s.request(REFERRERS)).status, 404);
  const asked = s.mirror.asked.length;
  for (const path of ["tags/list", `referrers/${SUBJECT}`]) {
    assert.equal((await s.request(`/v2/other/${path}`)).status, 404);
  }
  assert.equal(s.mirror.asked.length, asked);
});

test("referrers: descriptors say what the manifests say of themselves", async () => {
  const signature = about("a/signature", { by: "me" });
  const sbom = about("a/sbom");
  const s = await rig({ referrers: [signature, sbom] });
  const { response, document, digests } = await s.list(REFERRERS);
  assert.equal(response.headers.get("content-type"), OCI_INDEX);
  assert.equal(response.headers.get("oci-filters-applied"), null);
  assert.equal(document.mediaType, OCI_INDEX);
  assert.deepEqual(digests, [digestOf(signature), digestOf(sbom)].sort());
  const { manifests } = document;
  assert.deepEqual(
    manifests.find(({ artifactType }: { artifactType: string }) => artifactType === "a/signature"),
    {
      ...{ mediaType: OCI_MANIFEST, digest: digestOf(signature), size: signature.length },
      ...{ artifactType: "a/signature", annotations: { by: "me" } },
    },
  );
  for (
    const [types, wanted] of [["a/sbom", [sbom]], ["a/x", []], ["a/x&artifactType=a/sbom", [
      sbom,
    ]]] as const
  ) {
    const { response, digests } = await s.list(`${REFERRERS}?artifactType=${types}`);
    assert.deepEqual(digests, wanted.map((content) => digestOf(content)));
    assert.equal(response.headers.get("oci-filters-applied"), "artifactType");
  }
});

test("referrers: a peer's are fetched and read, and only those about the subject are listed", async () => {
  const signature = about("a/signature");
  const s = await rig();
  const other = s.mirror.offer(about("a/other", {}, digestOf("other")));
  const found = s.mirror.offer(signature);
  s.mirror.theirs = [{ entries: [other, found, digestOf("nobody has it"), "v1"], more: false }];
  assert.deepEqual((await s.list(REFERRERS)).digests, [found]);
});

test("referrers: pages lead through all of them, and a large one has a page of its own", async () => {
  const large = about("a/large", { text: "x".repeat(600_000) });
  const small = Array.from({ length: 300 }, (_, index) => about(`a/${index}`));
  const s = await rig({ referrers: [large, ...small] });
  const seen: string[] = [];
  let path: string | undefined = REFERRERS;
  while (path !== undefined) {
    const page: Awaited<ReturnType<typeof s.list>> = await s.list(path);
    assert.ok(page.digests.length > 0 && page.digests.length <= 128);
    seen.push(...page.digests);
    path = /^<(.*)>; rel="next"$/.exec(page.response.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(seen, [large, ...small].map((content) => digestOf(content)).sort());
});

test("referrers: what takes too long is left out, and no list is empty because of it", async () => {
  const signature = about("a/signature");
  const s = await rig({ tags: ["v1"], referrers: [signature], options: { listTimeoutMs: 50 } });
  hang(s.mirror, () => true);
  for (const [late] of [madeUp("0"), madeUp("f")]) {
    s.mirror.theirs = [{ entries: [late ?? assert.fail()], more: false }];
    assert.deepEqual((await s.list(REFERRERS)).digests, [digestOf(signature)]);
  }
  const none = REFERRERS.replace(SUBJECT, digestOf(signature));
  assert.equal((await s.request(none)).status, 404);
  const last = encodeURIComponent(digestOf(signature));
  assert.deepEqual((await s.list(`${REFERRERS}?last=${last}`)).digests, [], "the end of a list");
});

test("referrers: pages lead through those of this node and of peers that stop earlier", async () => {
  const contents = Array.from({ length: 40 }, (_, index) => about(`a/${index}`));
  const s = await rig({ referrers: contents.slice(0, 20) });
  const theirs = contents.slice(10).map((content) => s.mirror.offer(content)).sort();
  s.mirror.lists = ({ last = "" }) => {
    const after = theirs.filter((digest) => digest > last);
    return Promise.resolve([{ entries: after.slice(0, 3), more: after.length > 3 }]);
  };
  const seen: string[] = [];
  let path: string | undefined = REFERRERS;
  while (path !== undefined) {
    const page: Awaited<ReturnType<typeof s.list>> = await s.list(path);
    seen.push(...page.digests);
    path = /^<(.*)>; rel="next"$/.exec(page.response.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(seen, contents.map((content) => digestOf(content)).sort());
});

test("referrers: a damaged one is left out", async () => {
  const [good, bad] = [about("a/good"), about("a/bad")];
  const s = await rig({ referrers: [good, bad] });
  s.store.damage(digestOf(bad), about("a/worse"));
  assert.deepEqual((await s.list(REFERRERS)).digests, [digestOf(good)]);
});

const OUTSIDERS: readonly (readonly [PeerAdmission, PeerAdmission, 200 | 404, string | null])[] = [
  ["open", "open", 200, null],
  ["private", "open", 200, "true"],
  ["open", "private", 200, "true"],
  ["refused-private", "open", 404, null],
  ["open", "refused-private", 404, null],
  ["open", "refused-unknown", 404, null],
  ["refused-contested", "private", 404, null],
];

for (const [content, names, status, mark] of OUTSIDERS) {
  test(`lists: an outsider, content ${content} in a repository ${names}`, async () => {
    const access = new FakeAccess();
    const s = await rig({ tags: ["v1"], referrers: [about("a/b")], access });
    Object.assign(access, { content: () => content, names });
    const textOf = async (path: string) =>
      await (await s.request(path, { headers: FROM_PEER })).text();
    for (const path of [TAGS, `${TAGS}?n=0`, `${TAGS}?last=v1`, REFERRERS]) {
      const response = await s.request(path, { headers: FROM_PEER });
      assert.equal(response.status, status, path);
      assert.equal(response.headers.get("x-eddy-private"), mark);
      const text = await response.text();
      const unknown = await textOf(path.replace("team/app", "team/none"));
      if (status === 404) assert.equal(text.replaceAll("team/app", "team/none"), unknown);
    }
    access.isLocal = false;
    for (const path of [TAGS, REFERRERS]) {
      assert.equal((await s.request(path)).status, status, "as a stranger");
    }
    const lines = s.log.lines.filter(({ fields }) => fields["handler"] === "listing");
    const refusal = [content, names].find((one) => one.startsWith("refused"));
    for (
      const { fields } of lines.filter(({ fields }) => !String(fields["path"]).includes("none"))
    ) {
      assert.equal(fields["withheld"], refusal?.replace("refused-", ""));
    }
    assert.ok(lines.length > 4);
    assert.deepEqual(access.asked, [], "an outsider does not ask upstream as a client");
    assert.deepEqual(s.mirror.asked, [], "nor peers");
  });
}

test("lists: an outsider is told only of what it may have", async () => {
  const access = new FakeAccess();
  const [open, closed] = [about("a/open"), about("a/closed")];
  const s = await rig({ tags: ["v1"], referrers: [open, closed], access });
  access.content = (digest) => digest === digestOf(closed) ? "refused-private" : "open";
  assert.deepEqual((await s.list(REFERRERS, FROM_PEER)).digests, [digestOf(open)]);
  assert.equal(
    (await s.list(REFERRERS, FROM_PEER)).response.headers.get("docker-content-digest"),
    digestOf(JSON.stringify((await s.list(REFERRERS, FROM_PEER)).document)),
  );
});

test("lists: an outsider is not told that there is more of what it may not have", async () => {
  const access = new FakeAccess();
  const contents = Array.from({ length: 7 }, (_, index) => about(`a/${index}`));
  const digests = contents.map((content) => digestOf(content)).sort();
  const s = await rig({ tags: ["v1"], referrers: contents, access });
  for (const open of [[], digests.slice(0, 1), digests.slice(4, 5), digests.slice(-1)]) {
    access.content = (digest) => open.includes(digest) ? "open" : "refused-private";
    for (const query of ["", "?n=0", "?n=1", "?n=5"]) {
      const response = await s.request(`${REFERRERS}${query}`, { headers: FROM_PEER });
      const text = await response.text();
      assert.equal(response.status, open.length === 0 ? 404 : 200, query);
      assert.equal(response.headers.get("link"), null);
      for (const digest of digests) assert.equal(text.includes(digest), open.includes(digest));
    }
    const last = `?last=${digests.at(-1)}`;
    const { status } = await s.request(`${REFERRERS}${last}`, { headers: FROM_PEER });
    assert.equal(status, open.length === 0 ? 404 : 200);
  }
});

test("referrers: where those of an image are known, none of its other manifests is an empty list", async () => {
  const signature = about("a/signature");
  const note = about("a/note", {}, digestOf(signature));
  const access = new FakeAccess();
  const s = await rig({ tags: ["v1"], referrers: [signature, note], access });
  const of = (digest: Digest) => `/v2/team/app/referrers/${digest}`;
  assert.deepEqual((await s.list(of(digestOf(signature)))).digests, [digestOf(note)]);
  assert.deepEqual((await s.list(of(digestOf(note)))).digests, []);
  assert.deepEqual((await s.list(`${REFERRERS}?last=${"sha256:ff"}`)).digests, []);
  assert.equal((await s.request(of(digestOf("other")))).status, 404);
  assert.equal((await s.request(of(digestOf(note)).replace("app", "other"))).status, 404);
  access.content = () => "refused-private";
  assert.equal((await s.request(of(digestOf(note)), { headers: FROM_PEER })).status, 404);
  s.mirror.theirs = [{ entries: [], more: false }];
  assert.deepEqual((await s.list(of(digestOf("other")))).digests, [], "as a peer says");
});

test("lists: a client is admitted as for a manifest", async () => {
  const access = new FakeAccess();
  const s = await rig({ tags: ["v1"], referrers: [about("a/b")], access });
  access.admission = { type: "challenge" };
  for (const path of [TAGS, REFERRERS]) {
    const response = await s.request(path);
    assert.equal(response.status, 401);
    assert.equal(
      response.headers.get("www-authenticate"),
      'Basic realm="docker.io/team/app", charset="UTF-8"',
    );
    await response.body?.cancel();
  }
  access.admission = { type: "refuse", reason: "unauthorized" };
  for (const path of [TAGS, REFERRERS]) assert.equal((await s.request(path)).status, 404);
  assert.deepEqual(s.mirror.asked, []);
  const digests = new Set(access.asked.map(({ path: { reference } }) => reference.digest));
  assert.deepEqual([...digests], [SUBJECT]);
  assert.ok(access.asked.every(({ isListing }) => isListing === true));
});

test("lists: peers are asked for private entries only for a client that is entitled", async () => {
  const access = new FakeAccess();
  const s = await rig({ access });
  const found = s.mirror.offer(about("a/b"), true);
  s.mirror.theirs = [{ entries: [found], more: false }];
  assert.equal((await s.request(REFERRERS)).status, 404);
  access.admission = { type: "serve", verified: true, entitled: true };
  assert.deepEqual((await s.list(REFERRERS)).digests, [found]);
  s.mirror.theirs = [{ entries: ["v1"], more: false }];
  access.admission = { type: "refuse", reason: "absent-upstream" };
  assert.deepEqual(
    (await s.list(TAGS)).document.tags,
    ["v1"],
    "of another tag than upstream lacks",
  );
  assert.deepEqual(s.mirror.asked.map(({ openOnly }) => openOnly), [true, false, true]);
});

test("referrers: what a peer names is asked about upstream only once it is about the subject", async () => {
  const access = new FakeAccess();
  access.admission = { type: "serve", verified: true, entitled: true };
  const s = await rig({ access });
  const other = s.mirror.offer(about("a/other", {}, digestOf("other")), true);
  const found = s.mirror.offer(about("a/b"), true);
  s.mirror.theirs = [{ entries: [other, found], more: false }];
  assert.deepEqual((await s.list(REFERRERS)).digests, [found]);
  assert.deepEqual(access.asked.map(({ path }) => path.reference.digest), [SUBJECT, found]);
});

for (const first of ["0", "f"] as const) {
  for (const more of [false, true]) {
    test(`referrers: a peer that makes up ${first}… costs its own, ${more ? "and more" : "or no more"}`, async () => {
      const [held, theirs] = [about("a/held"), about("a/theirs")];
      const s = await rig({ referrers: [held], options: { listTimeoutMs: 50 } });
      const other = s.mirror.offer(theirs);
      const fake = madeUp(first);
      hang(s.mirror, (digest) => fake.includes(digest));
      s.mirror.lists = ({ last = "" }) =>
        Promise.resolve([
          { entries: fake, more },
          { entries: [other].filter((digest) => digest > last), more: false },
        ]);
      const { response, digests } = await s.list(REFERRERS);
      assert.deepEqual(digests, [digestOf(held), other].sort());
      assert.equal(response.headers.get("link"), null);
    });
  }
}

test("tags: a client is told of each only if it may have it, and one that it may not have hides no other", async () => {
  const access = new FakeAccess();
  const s = await rig({ tags: ["v1"], access });
  const targets = ["one", "two", "three"].map((text) => digestOf(text));
  await s.hold(targets.map((target, index) => ({ name: `${APP}:t${index}`, target })));
  for (const secret of targets) {
    access.admit = (request) =>
      Promise.resolve(
        request.path.reference.digest === secret
          ? { type: "challenge" }
          : { type: "serve", verified: true },
      );
    const wanted = targets.flatMap((target, index) => target === secret ? [] : [`t${index}`]);
    assert.deepEqual((await s.list(TAGS)).document.tags, [...wanted, "v1"]);
    assert.deepEqual((await s.list(`${TAGS}?n=2`)).document.tags, [...wanted, "v1"].slice(0, 2));
  }
  access.admit = () => Promise.resolve({ type: "challenge" });
  assert.equal((await s.request(TAGS)).status, 401);
});

test("lists: four are collected at the same time, and four for outsiders", async () => {
  const access = new FakeAccess();
  const s = await rig({ tags: ["v1"], access });
  const gate = Promise.withResolvers<void>();
  let asking = 0;
  s.mirror.lists = async () => {
    asking++;
    await gate.promise;
    return [];
  };
  const answers = Array.from({ length: 6 }, () => s.list(TAGS));
  // Outsiders do not wait for clients.
  await s.list(TAGS, FROM_PEER);
  assert.equal(asking, 4);
  gate.resolve();
  await Promise.all(answers);
  assert.equal(asking, 6);
});

test("lists: strangers do not hold up nodes of the cluster", async () => {
  const access = new FakeAccess();
  const s = await rig({ tags: ["v1"], access });
  const gate = Promise.withResolvers<void>();
  access.isLocal = false;
  access.admitPeer = async (_path, _digest, outsider): Promise<PeerAdmission> => {
    if (outsider?.stranger) await gate.promise;
    return "open";
  };
  const answers = Array.from({ length: 6 }, () => s.list(TAGS));
  assert.deepEqual((await s.list(TAGS, FROM_PEER)).document.tags, ["v1"]);
  gate.resolve();
  await Promise.all(answers);
});
