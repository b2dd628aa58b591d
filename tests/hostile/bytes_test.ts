import assert from "node:assert/strict";
import { Attacker, type Manner } from "../e2e/lab/attacker/attacker.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import type { Lab, LabNode } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { publish, type Published } from "../e2e/lab/publish.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { untilAllFound, untilHolders } from "../e2e/lab/until_all_found.ts";
import { untilFindable } from "../e2e/lab/until_findable.ts";
import { flipBit } from "./lab/flip_bit.ts";
import { play } from "./play.ts";

const MIB = 1024 * 1024;
/** So many that no luck with the order of peers spares a pull all of the wrong ones. */
const LAYERS = Array<number>(8).fill(2 * MIB);
/**
 * The kubelet's first pause between attempts. Right after a failed one containerd only tries once
 * more to commit what it has, whoever it is from.
 */
const KUBELET_PAUSE_MS = 10_000;
const ATTEMPTS = ["first", "second", "third"];

const { old, current } = containerdReleases();
const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

for (const withKey of [true, false]) {
  for (const release of [old, current]) {
    await labSuite(
      `hostile: bytes, ${withKey ? "with" : "without"} a cluster key, containerd ${release.name}`,
      {
        id: `byt-${withKey ? "k" : "n"}${release.name[0]}`,
        releases: [release, release, release],
        flags: withKey ? ["--cluster-key-file", files.clusterKey] : [],
        strangers: ["evil"],
      },
      async (lab, step) => {
        await using evil = await Attacker.start({
          host: lab.network.host("evil"),
          directory: `${lab.directory}/evil`,
          victims: lab.nodes.map(({ host }) => host),
        });
        const bytes = new Bytes(lab, evil);
        await play(step, "bitRot", { withKey }, () => bytes.bitRot());
        await play(step, "bitRotAway", { withKey }, () => bytes.bitRotAway());
        await play(step, "bitRotLarge", { withKey }, () => bytes.bitRotLarge());
        await play(step, "bitRotLargeAway", { withKey }, () => bytes.bitRotLargeAway());
        await play(step, "freshIds", { withKey }, () => bytes.freshIds("fresh", 4 * MIB));
        await play(step, "freshIdsLarge", { withKey }, () => bytes.freshIds("large", 40 * MIB));
        await play(step, "hitAndRun", { withKey }, () => bytes.hitAndRun());
        await play(step, "hitAndRunLarge", { withKey }, () => bytes.hitAndRunLarge());
        if (release !== current) return;
        await play(step, "hitAndRunAway", { withKey }, () => bytes.away("runs"));
        await play(step, "saysArriving", { withKey }, () => bytes.away("arriving"));
        await play(step, "inParts", { withKey }, () => bytes.inParts());
      },
    );
  }
}

/** The first node's disk or a stranger is bad, the second node is honest, the third one pulls. */
class Bytes {
  readonly #lab: Lab;
  readonly #evil: Attacker;
  readonly #rotten: LabNode;
  readonly #honest: LabNode;
  readonly #puller: LabNode;

  constructor(lab: Lab, evil: Attacker) {
    this.#lab = lab;
    this.#evil = evil;
    this.#rotten = lab.node(1);
    this.#honest = lab.node(2);
    this.#puller = lab.node(3);
  }

  async bitRot(): Promise<string> {
    const published = await this.#heldBy("bytes/rot", [4 * MIB], [this.#rotten]);
    await this.#rot(published);
    return await this.#attempts(published);
  }

  async bitRotAway(): Promise<string> {
    const nodes = [this.#rotten, this.#honest];
    const published = await this.#heldBy("bytes/rot-away", LAYERS, nodes);
    await this.#rot(published);
    await this.#lab.upstream.stop();
    return await this.#attempts(published);
  }

  async bitRotLarge(): Promise<string> {
    const published = await this.#heldBy("bytes/rot-large", [40 * MIB], [this.#rotten]);
    await this.#rot(published);
    return await this.#attempts(published, () => this.#renewId(published, 1));
  }

  async bitRotLargeAway(): Promise<string> {
    const nodes = [this.#rotten, this.#honest];
    const published = await this.#heldBy("bytes/large-away", Array(3).fill(40 * MIB), nodes);
    await this.#rot(published);
    await this.#lab.upstream.stop();
    const answer = await this.#attempts(published, () => this.#renewId(published, 2));
    // It depends on who is asked first whether the first attempt comes to grief.
    return /^pulled in the (first|second) attempt$/.test(answer) ? "pulled" : answer;
  }

  async freshIds(name: string, bytes: number): Promise<string> {
    const published = await this.#announced(`bytes/${name}`, [bytes], "rotten");
    return await this.#attempts(published, () => this.#evil.renewId());
  }

  async hitAndRun(): Promise<string> {
    const next = await this.#heldBy("bytes/next", LAYERS, [this.#honest]);
    const published = await this.#heldBy("bytes/run", LAYERS, [this.#honest]);
    await this.#announce(published, "runs", 2);
    await this.#lab.upstream.stop();
    const answer = await this.#attempts(published);
    await this.#evil.behave("empty");
    const served = await this.#attempts(next) === "pulled in the first attempt";
    return `${answer}; the other node ${served ? "serves" : "does not serve"} what is asked next`;
  }

  async hitAndRunLarge(): Promise<string> {
    const published = await this.#announced("bytes/run-large", [40 * MIB], "runs");
    return await this.#attempts(published);
  }

  /** A stranger and the second node hold a large layer, and upstream is away. */
  async away(manner: Manner): Promise<string> {
    const published = await this.#heldBy(`bytes/away-${manner}`, [40 * MIB], [this.#honest]);
    await this.#announce(published, manner, 2);
    await this.#lab.upstream.stop();
    const answer = await this.#attempts(published);
    // It depends on who is asked first whether the first attempt fails.
    return /^pulled in the (first|second) attempt$/.test(answer) ? "pulled" : answer;
  }

  async inParts(): Promise<string> {
    const { containerd } = this.#puller;
    await containerd.stop();
    await containerd.start({ fetchesParts: true });
    try {
      return await this.away("rotten");
    } finally {
      await containerd.stop();
      await containerd.start();
    }
  }

  /** An image that these nodes hold, and that the third one finds there. Nobody is blamed yet. */
  async #heldBy(
    name: string,
    layerBytes: readonly number[],
    nodes: readonly LabNode[],
  ): Promise<Published> {
    await this.#evil.behave("empty");
    await this.#puller.agent.stop();
    await this.#puller.agent.start();
    const published = await publish(this.#lab, name, { layerBytes, plain: true });
    for (const { containerd } of nodes) await containerd.cri.pull(published.reference);
    if (nodes.length > 0) {
      const { image, repository } = published;
      await untilFindable(this.#puller, image, { repository, blobsOnly: true });
      await untilAllFound(this.#puller, image, nodes.length);
    }
    return published;
  }

  /** An image whose layers nobody holds but the stranger. */
  async #announced(
    name: string,
    layerBytes: readonly number[],
    manner: Manner,
  ): Promise<Published> {
    const published = await this.#heldBy(name, layerBytes, []);
    await this.#announce(published, manner, 1);
    return published;
  }

  async #announce({ image }: Published, manner: Manner, holders: number): Promise<void> {
    await this.#evil.hold(image.layers);
    await this.#evil.behave(manner);
    await this.#evil.announce(image.layers.map(({ digest }) => digest));
    for (const { digest } of image.layers) await untilHolders(this.#puller, digest, holders);
  }

  async #rot({ image }: Published): Promise<void> {
    for (const { digest } of image.layers) await flipBit(this.#rotten.containerd, digest);
  }

  /** The first node comes back as another peer at its old address. */
  async #renewId({ image }: Published, holders: number): Promise<void> {
    const { agent } = this.#rotten;
    await agent.stop();
    await Deno.remove(`${agent.dataDirectory}/private.key`);
    await agent.start();
    await untilHolders(this.#puller, image.layers[0]?.digest ?? assert.fail(), holders);
  }

  /** Pulls as the kubelet does until that succeeds, three times at most. */
  async #attempts(
    { image, digestReference }: Published,
    between: () => Promise<void> = () => Promise.resolve(),
  ): Promise<string> {
    const { containerd } = this.#puller;
    const errors: unknown[] = [];
    for (const attempt of ATTEMPTS) {
      try {
        await containerd.cri.pull(digestReference);
        assert.deepEqual(await containerd.lacks(image), []);
        return `pulled in the ${attempt} attempt`;
      } catch (error) {
        errors.push(error);
        await between();
        await new Promise((resolve) => setTimeout(resolve, KUBELET_PAUSE_MS));
      }
    }
    return `not pulled: ${errors.map(String).join("; ").slice(0, 300)}`;
  }
}
