import assert from "node:assert/strict";
import type { Outsider } from "../../lib/ports/access.ts";
import { test } from "../support/test.ts";
import {
  A,
  authorizerRig,
  B,
  C,
  CLOSED,
  D,
  digestOf,
  E,
  holdings,
  OPEN,
  OUTAGES,
  pathOf,
  USER,
} from "./authorizer_rig.ts";

test("a private image that nobody pulled through this node is asked about, and refused", async () => {
  const { hold, outsider, upstream, repositories } = authorizerRig(holdings());
  hold(`${CLOSED}:v1`, C, D);
  for (const text of [`${CLOSED}@${C}`, `blob ${CLOSED}@${D}`, `blob ${OPEN}@${D}`]) {
    assert.match(await outsider(text), /^refused-(private|unknown)$/, text);
    assert.equal(await outsider(text, { stranger: true }), "refused-private", text);
  }
  assert.equal(repositories.visibility(CLOSED), "private");
  assert.deepEqual(upstream.questions, [`anybody /v2/acme/closed/manifests/${C}?ns=ghcr.io`]);
});

test("a public one is asked about once, whoever asks for it by whatever name", async () => {
  const { hold, outsider, upstream, clock } = authorizerRig(holdings());
  hold(`${OPEN}:v1`, A, B);
  const answers = await Promise.all([
    ...[outsider(`${OPEN}@${A}`), outsider(`${OPEN}@${A}`), outsider(`evil.example/x@${A}`)],
  ]);
  assert.deepEqual(answers, ["open", "open", "open"]);
  assert.equal(await outsider(`blob ${OPEN}@${B}`), "open");
  assert.equal(upstream.questions.length, 1);
  await clock.advance(600_000);
  assert.equal(await outsider(`blob ${OPEN}@${B}`), "open");
  assert.equal(upstream.questions.length, 2, "asked again when it is not fresh any more");
});

test("what cannot be asked is refused; what was public before is not", async () => {
  for (const trouble of OUTAGES) {
    const { hold, outsider, upstream, clock } = authorizerRig(holdings());
    hold(`${OPEN}:v1`, A, B);
    hold(`${CLOSED}:v1`, C, D);
    upstream.trouble = trouble;
    assert.equal(await outsider(`${OPEN}@${A}`), "refused-unknown", trouble);
    assert.equal(await outsider(`${CLOSED}@${C}`), "refused-unknown", trouble);
    const asked = upstream.questions.length;
    assert.equal(await outsider(`${OPEN}@${A}`), "refused-unknown", trouble);
    assert.equal(upstream.questions.length, asked, "not at once again");
    upstream.trouble = undefined;
    await clock.advance(5_000);
    assert.equal(await outsider(`${OPEN}@${A}`), "open");
    upstream.trouble = trouble;
    await clock.advance(24 * 3600_000);
    assert.equal(await outsider(`${OPEN}@${A}`), "open", "the last word counts");
    assert.equal(await outsider(`blob ${OPEN}@${B}`), "open");
    assert.match(await outsider(`${CLOSED}@${C}`), /refused/);
  }
});

test("what upstream took back is refused from then on", async () => {
  const { hold, outsider, upstream, clock } = authorizerRig(holdings());
  hold(`${OPEN}:v1`, A, B);
  assert.equal(await outsider(`${OPEN}@${A}`), "open");
  for (
    const taken of [{ private: true, tags: { v1: A }, digests: [A, B] }, { tags: {}, digests: [] }]
  ) {
    upstream.holdings[OPEN] = taken;
    await clock.advance(600_000);
    assert.match(await outsider(`${OPEN}@${A}`), /refused/);
    upstream.trouble = "unreachable";
    assert.match(await outsider(`blob ${OPEN}@${B}`), /refused/);
    upstream.trouble = undefined;
    upstream.holdings[OPEN] = holdings()[OPEN] ?? assert.fail();
    await clock.advance(600_000);
    assert.equal(await outsider(`${OPEN}@${A}`), "open");
  }
});

test("an upstream that has nothing, or hides what it has, opens nothing", async () => {
  for (const guarded of [true, false]) {
    const { hold, outsider } = authorizerRig({ [OPEN]: { guarded, tags: {}, digests: [] } });
    hold(`${OPEN}:v1`, A, B);
    assert.equal(await outsider(`${OPEN}@${A}`), "refused-unknown");
  }
  // Its image is there by tag, but no longer what is held.
  const moved = authorizerRig({ [OPEN]: { tags: { v1: E }, digests: [E] } });
  moved.hold(`${OPEN}:v1`, A, B);
  assert.equal(await moved.outsider(`${OPEN}@${A}`), "open", "the repository is anybody's");
});

test("an upstream that is slow is waited for a moment, and its answer counts afterwards", async () => {
  const { hold, authorizer, upstream, clock, outsider } = authorizerRig(holdings());
  hold(`${OPEN}:v1`, A);
  const { promise, resolve } = Promise.withResolvers<void>();
  const { head } = upstream;
  upstream.head = async (...asked) => {
    await promise;
    return await head.apply(upstream, asked);
  };
  const answer = Promise.resolve(
    authorizer.admitPeer(pathOf(`${OPEN}@${A}`), A, { proven: false }),
  );
  await clock.advance(250);
  assert.equal(await answer, "refused-unknown");
  resolve();
  await clock.advance(0);
  assert.equal(await outsider(`${OPEN}@${A}`), "open");
  assert.equal(clock.sleeping, 0);
});

test("names that outsiders make up leave no trace and ask nobody", async () => {
  const rig = authorizerRig(holdings());
  const { hold, outsider, upstream, repositories, content, clock } = rig;
  hold(`${CLOSED}:v1`, C, D);
  await outsider(`${CLOSED}@${C}`);
  const before = JSON.stringify([repositories.kept(), content.claims(C), content.claims(D)]);
  const asked = upstream.questions.length;
  for (let index = 0; index < 10_000; index++) {
    const name = `evil${index}.example/x`;
    assert.equal(await outsider(`${name}@${C}`, { stranger: index % 2 === 0 }), "refused-private");
  }
  assert.equal(JSON.stringify([repositories.kept(), content.claims(C), content.claims(D)]), before);
  assert.equal(upstream.questions.length, asked);
  assert.equal(clock.sleeping, 0);
  assert.equal(await outsider("evil.example/x:1", { digest: E }), "refused-unknown");
});

test("content of several repositories: a proof opens it, a name alone does not", async () => {
  const given = holdings();
  given[CLOSED] = { private: true, tags: { v1: C }, digests: [C, D, B] };
  const { hold, outsider, upstream } = authorizerRig(given);
  hold(`${CLOSED}:v1`, C, D, B);
  // A public image whose manifest names what is not its own, besides what is.
  hold(`${OPEN}:v1`, A, B, D);
  assert.equal(await outsider(`blob ${OPEN}@${D}`), "refused-contested");
  assert.equal(await outsider(`blob ${OPEN}@${B}`), "open");
  const asked = upstream.questions.length;
  for (let again = 0; again < 5; again++) {
    assert.equal(await outsider(`blob ${OPEN}@${D}`), "refused-contested");
    assert.equal(await outsider(`blob ${CLOSED}@${D}`), "refused-contested");
    assert.equal(await outsider(`blob ${OPEN}@${B}`), "open");
  }
  assert.equal(upstream.questions.length, asked, "each is asked once for a while");
  assert.equal(await outsider(`blob ${CLOSED}@${D}`, { proven: true }), "private");
});

test("more repositories than can be known name content: only a proof opens it", async () => {
  const given = holdings();
  for (let index = 0; index < 70; index++) {
    given[`docker.io/library/n${index}`] = { tags: {}, digests: index === 0 ? [E] : [] };
  }
  const { hold, outsider, repositories, claim, upstream } = authorizerRig(given);
  for (let index = 0; index < 70; index++) {
    repositories.learn(`docker.io/library/n${index}`, "public");
    hold(`docker.io/library/n${index}:1`, A, D, E);
  }
  claim(CLOSED, D);
  assert.equal(await outsider(`blob docker.io/library/n1@${D}`), "refused-contested");
  assert.ok(upstream.questions.length <= 4, "not all are asked");
  assert.equal(await outsider(`blob docker.io/library/n1@${E}`), "open");
});

test("content that only a label names, without its registry's port, needs a proof", async () => {
  const { content, repositories, outsider, upstream, clock } = authorizerRig({
    "host/team/app": { tags: {}, digests: [A] },
  });
  for (const digest of [A, D]) content.held.label(digest, "host/team/app");
  repositories.hold("host/team/app");
  assert.equal(await outsider(`blob host:5000/team/app@${A}`), "open");
  assert.equal(await outsider(`blob host:5000/team/app@${D}`), "refused-contested");
  assert.equal(upstream.questions.length, 2);
  // With an image record it is known what it is of.
  repositories.learn("host:5000/team/app", "private");
  content.held.claim(D, "host:5000/team/app");
  assert.equal(await outsider(`blob host/team/app@${D}`), "refused-private");
  await clock.advance(600_000);
  assert.equal(await outsider(`blob host/team/app@${A}`), "open");
});

test("a private pattern with a port applies to what is known without one", async () => {
  for (const auto of [true, false]) {
    const rig = authorizerRig({ "host/team/app": { tags: {}, digests: [A] } }, {
      auto,
      patterns: ["host:5000/team/*"],
    });
    rig.content.held.label(A, "host/team/app");
    for (const stranger of [true, false]) {
      assert.match(await rig.outsider(`blob host/team/app@${A}`, { stranger }), /refused-private/);
    }
    assert.equal(
      await rig.outsider(`blob host:5000/team/app@${A}`, { proven: true }),
      "private",
    );
    assert.deepEqual(rig.upstream.questions, []);
  }
});

test("public patterns need no upstream; a private one wins", async () => {
  const { hold, outsider, upstream } = authorizerRig(holdings(), {
    publicPatterns: ["*"],
    patterns: ["ghcr.io/acme/*"],
  });
  upstream.trouble = "unreachable";
  hold(`${OPEN}:v1`, A, B);
  hold(`${CLOSED}:v1`, C, D);
  assert.equal(await outsider(`${OPEN}@${A}`), "open");
  assert.equal(await outsider(`${CLOSED}@${C}`), "refused-private");
  assert.deepEqual(upstream.questions, []);
  const all = authorizerRig({}, { publicPatterns: ["*"] });
  assert.equal(await all.outsider(`${OPEN}@${A}`), "open", "whatever it is of");
});

test("with a cluster key strangers get nothing, and who says that it is a node what is public", async () => {
  const { hold, outsider, admit } = authorizerRig(holdings(), { localOnly: true });
  hold(`${OPEN}:v1`, A, B);
  hold(`${CLOSED}:v1`, C, D);
  await admit(`${OPEN}:v1`);
  await admit(`${CLOSED}:v1`, USER);
  assert.equal(await outsider(`${OPEN}@${A}`), "open");
  assert.equal(await outsider(`${OPEN}@${A}`, { stranger: true }), "refused-stranger");
  assert.equal(await outsider(`${CLOSED}@${C}`), "refused-private");
});

test("nodes of the cluster get what is unknown, marked as private only if it is", async () => {
  const { hold, outsider, upstream, repositories } = authorizerRig(holdings());
  hold(`${CLOSED}:v1`, C, D);
  upstream.trouble = "unreachable";
  for (const openOnly of [true, false]) {
    assert.equal(await outsider(`${CLOSED}@${C}`, { proven: true, openOnly }), "open");
  }
  assert.deepEqual(upstream.questions, []);
  repositories.learn(CLOSED, "private");
  assert.equal(await outsider(`${CLOSED}@${C}`, { proven: true }), "private");
  assert.equal(
    await outsider(`${CLOSED}@${C}`, { proven: true, openOnly: true }),
    "refused-private",
  );
});

test("the background asks about what is held and unknown, one registry's after the other", async () => {
  const rig = authorizerRig(holdings());
  const { hold, inquiries, upstream, clock, repositories, outsider } = rig;
  upstream.holdings["ghcr.io/acme/open"] = { tags: {}, digests: [E] };
  hold(`${OPEN}:v1`, A, B);
  hold(`${CLOSED}:v1`, C, D);
  hold("ghcr.io/acme/open:v1", E);
  const stop = new AbortController();
  const running = inquiries.run(stop);
  await clock.advance(1000);
  assert.deepEqual(upstream.questions.toSorted(), [
    `anybody /v2/acme/closed/manifests/${C}?ns=ghcr.io`,
    `anybody /v2/acme/open/manifests/${E}?ns=ghcr.io`,
    `anybody /v2/library/open/manifests/${A}?ns=docker.io`,
  ]);
  assert.equal(repositories.visibility(CLOSED), "private");
  inquiries.wake();
  await clock.advance(3600_000);
  assert.equal(upstream.questions.length, 3, "what is known is not asked again");
  upstream.trouble = "unreachable";
  upstream.holdings["quay.io/x/late"] = { tags: { v1: E }, digests: [] };
  hold("quay.io/x/late:v1", digestOf("f"));
  inquiries.wake();
  await clock.advance(30_000);
  upstream.trouble = undefined;
  await clock.advance(120_000);
  assert.ok(
    repositories.allowsAnonymousPull("quay.io/x/late"),
    "asked again until there is an answer",
  );
  upstream.trouble = "unreachable";
  assert.equal(await outsider(`quay.io/x/late@${digestOf("f")}`), "open");
  stop.abort();
  await running;
  assert.equal(clock.sleeping, 0);
});

test("what upstream hides goes to nobody under another name, nodes and own clients included", async () => {
  const hiding = { [CLOSED]: { guarded: true, tags: {}, digests: [] } };
  const { hold, outsider, admit, upstream } = authorizerRig({ ...holdings(), ...hiding });
  hold(`${CLOSED}:v1`, C, D);
  hold(`${OPEN}:v1`, A, B);
  await admit(`${OPEN}:v1`);
  assert.equal(await outsider(`blob ${CLOSED}@${D}`), "refused-unknown");
  for (const openOnly of [true, false]) {
    const node = { proven: true, openOnly };
    assert.equal(await outsider(`blob ${OPEN}@${D}`, node), "refused-private");
    assert.equal(await outsider(`blob ${CLOSED}@${D}`, node), "open", "as it was asked for");
    assert.equal(await outsider(`blob ${OPEN}@${B}`, node), "open");
  }
  assert.equal((await admit(`blob ${OPEN}@${D}`)).type, "challenge");
  upstream.trouble = "unreachable";
  assert.equal((await admit(`blob ${OPEN}@${D}`)).type, "refuse");
  assert.equal((await admit(`blob ${OPEN}@${B}`)).type, "serve");
});

test("one image that upstream has no more does not keep back the others of its repository", async () => {
  for (const latest of [A, E]) {
    const { hold, outsider, inquiries, repositories, upstream, clock } = authorizerRig({
      [OPEN]: { tags: { v2: A }, digests: [A, B] },
    });
    const images = [[`${OPEN}:v2`, A], [`${OPEN}:v1`, E]] as const;
    const order = latest === E ? images : images.toReversed();
    for (const [name, digest] of order) hold(name, digest);
    // As CRI names images besides.
    for (const digest of [A, E]) hold(`${OPEN}@${digest}`, digest);
    const stop = new AbortController();
    const running = inquiries.run(stop);
    await clock.advance(1000);
    assert.ok(repositories.allowsAnonymousPull(OPEN), "the background asks about the other");
    await clock.advance(600_000);
    assert.equal(await outsider(`${OPEN}@${E}`), "open", "the repository is anybody's");
    upstream.trouble = "unreachable";
    assert.equal(await outsider(`${OPEN}@${A}`), "open");
    stop.abort();
    await running;
  }
});

test("what many ask for at once, right after the start, is asked about in their time", async () => {
  const names = Array.from({ length: 48 }, (_, index) => `docker.io/library/n${index}`);
  const digests = names.map((_, index) => digestOf(`${index + 10}`.padStart(2, "0")));
  const given = names.map((name, index) =>
    [name, { tags: {}, digests: digests.slice(index, index + 1) }] as const
  );
  const { hold, outsider, upstream, clock } = authorizerRig(Object.fromEntries(given));
  const { head } = upstream;
  let active = 0;
  let most = 0;
  upstream.head = async (...asked) => {
    most = Math.max(most, ++active);
    await clock.sleep(50, { signal: new AbortController().signal });
    active--;
    return await head.apply(upstream, asked);
  };
  for (const [index, name] of names.entries()) hold(`${name}:v1`, digests[index] ?? A);
  const all = names.map((name, index) => outsider(`${name}@${digests[index]}`));
  for (let step = 0; step < 25; step++) await clock.advance(10);
  assert.deepEqual(new Set(await Promise.all(all)), new Set(["open"]));
  assert.ok(most <= 16, `${most} questions at the same time`);
});

test("what is in a repository is told to those who may know of the repository", async () => {
  const hidden = "quay.io/acme/unheard";
  const { authorizer, hold, admit, outsider, inquiries, clock } = authorizerRig({
    ...holdings(),
    // Public content that a private repository has, too.
    [CLOSED]: { private: true, tags: { v1: A }, digests: [A] },
  });
  hold(`${OPEN}:v1`, A, B);
  hold(`${CLOSED}:secret-name`, A);
  hold(`${hidden}:v1`, E);
  const names = (name: string, who: Partial<Outsider>) =>
    authorizer.admitNames(pathOf(name).reference, { proven: false, ...who });
  const unproven = [{}, { openOnly: true }, { stranger: true }];
  for (const name of [OPEN, CLOSED, hidden]) {
    for (const who of unproven) assert.equal(names(name, who), "refused-unknown", name);
    assert.equal(
      names(name, { proven: true }),
      "open",
      "as content that is not known to be private",
    );
  }
  const stop = new AbortController();
  const running = inquiries.run(stop);
  await clock.advance(1000);
  stop.abort();
  await running;
  assert.equal(await outsider(`${CLOSED}@${A}`), "open", "the content itself is anybody's");
  for (const who of unproven) {
    assert.equal(names(OPEN, who), "open");
    assert.equal(names(CLOSED, who), "refused-private");
    assert.match(names(hidden, who), /^refused-/);
    assert.equal(names("made.up/name", who), "refused-unknown");
  }
  assert.equal(names(OPEN, { proven: true }), "open");
  assert.equal(names(CLOSED, { proven: true }), "private");
  assert.equal(names(CLOSED, { proven: true, openOnly: true }), "refused-private");
  assert.equal((await admit(`${CLOSED}:v1`, USER)).type, "serve");
  assert.equal(names(CLOSED, {}), "refused-private", "whoever else may have it");
});

test("where only nodes are served, strangers are told of no repository", () => {
  const open = { patterns: [], auto: false, localOnly: true };
  const { authorizer } = authorizerRig(holdings(), open);
  const names = (who: Partial<Outsider>) =>
    authorizer.admitNames(pathOf(OPEN).reference, { proven: false, ...who });
  assert.equal(names({ stranger: true }), "refused-stranger");
  assert.equal(names({}), "open");
  assert.equal(names({ stranger: true, proven: true }), "open");
});
