import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "../support/test.ts";
import { ALL, IMAGES, PRIVATE, SECRETS, World } from "./world.ts";

/** Something that may happen to a node, and the answers that outsiders got by it. */
type Step = (world: World) => Promise<readonly string[] | void> | void;

interface Happening {
  readonly step: Step;
}

/** Mostly those that have secrets, or name them. */
const image = fc.oneof(
  fc.nat({ max: IMAGES.length - 1 }),
  { weight: 3, arbitrary: fc.constantFrom(2, 3, 4, 5) },
);
const digest = fc.constantFrom(...ALL);
const names = fc.constantFrom(...IMAGES.map(([name]) => name), "made.up/name:v1");

function happening<T extends unknown[]>(
  what: string,
  given: { [K in keyof T]: fc.Arbitrary<T[K]> },
  step: (world: World, ...given: T) => ReturnType<Step>,
): fc.Arbitrary<Happening> {
  return fc.tuple<T>(...given).map((values) => ({
    toString: () => [what, ...values].join(" "),
    step: (world) => step(world, ...values),
  }));
}

const often = (arbitrary: fc.Arbitrary<Happening>) => ({ weight: 4, arbitrary });

const HAPPENINGS = fc.oneof(
  often(happening("pull", [image, fc.boolean()], (world, index, told) => world.pull(index, told))),
  often(
    happening("remove", [image, fc.boolean()], (world, index, gone) => world.remove(index, gone)),
  ),
  { weight: 2, arbitrary: happening("sync", [], (world) => world.sync()) },
  happening(
    "a client asks",
    [image, fc.option(digest, { nil: undefined }), fc.boolean()],
    (world, index, digest, secret) => world.ask(index, digest, secret),
  ),
  happening("names are made up", [fc.nat({ max: 40 })], (world, count) => world.invent(count)),
  happening(
    "an outsider asks",
    [names, fc.constantFrom(...SECRETS), fc.boolean(), fc.boolean()],
    async (world, name, digest, stranger, arriving) => [
      await world.outsider(name, digest, { stranger, arriving }),
    ],
  ),
  happening(
    "an outsider asks what is in a repository",
    [fc.constantFrom(...PRIVATE, "made.up/name:v1"), fc.boolean(), fc.boolean()],
    (world, name, stranger, openOnly) =>
      Promise.resolve([
        world.names(name, { stranger, openOnly }),
        // A node that wants only what is anybody's gets no name that is known to be private.
        ...(world.isKnownPrivate(name)
          ? [world.names(name, { proven: true, openOnly: true })]
          : []),
      ]),
  ),
  { weight: 2, arbitrary: happening("restart", [], (world) => world.restart()) },
  happening(
    "time goes by",
    [fc.constantFrom(10, 5_000, 700_000)],
    (world, ms) => world.advance(ms),
  ),
  happening("outage", [fc.boolean()], (world, begins) => world.outage(begins)),
);

test("access: what upstream gives to nobody goes to nobody, and what it gives to all does, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(HAPPENINGS, { maxLength: 25 }), async (happenings) => {
      const world = new World();
      try {
        for (const { step } of happenings) {
          for (const answer of await step(world) ?? []) assert.match(answer, /^refused-/);
          assert.deepEqual(world.leaks, []);
        }
        world.outage(false);
        // The longest that it is not asked again, and as long for what was asked about in vain.
        await world.advance(700_000);
        for (const { name, digest } of world.anybodys()) {
          assert.equal(await world.outsider(name, digest), "open", `${digest} of ${name}`);
          assert.equal(world.names(name), "open", name);
        }
      } finally {
        await world.end();
      }
    }),
    { numRuns: Number(Deno.env.get("EDDY_PROPERTY_RUNS") ?? 60) },
  );
});
