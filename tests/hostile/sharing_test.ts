import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { splitDigest } from "../../lib/oci/digest.ts";
import { Attacker } from "../e2e/lab/attacker/attacker.ts";
import { USER } from "../e2e/lab/auth/token_authentication.ts";
import { blobOf, only, pathOf, PEER, Raid, RIGHT, TOKEN } from "../e2e/lab/attacker/raid.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { httpRequest } from "../e2e/lab/http_request.ts";
import type { Lab } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { onHost } from "../e2e/lab/network.ts";
import { publish, type Published } from "../e2e/lab/publish.ts";
import { runCommand } from "../e2e/lab/run_command.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { until } from "../e2e/lab/until.ts";
import { untilFindable } from "../e2e/lab/until_findable.ts";
import { play } from "./play.ts";

/** One that is verified before any of it is passed on, and one that is not. */
const LAYERS = [12_000_000, 48_000_000];
const CLIENTS = 6;

const { old, current } = containerdReleases();
const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

for (const withKey of [true, false]) {
  await labSuite(
    `hostile: sharing, ${withKey ? "with" : "without"} a cluster key`,
    {
      id: `shr-${withKey ? "k" : "n"}`,
      releases: withKey ? [current, current] : [old, current],
      flags: withKey ? ["--cluster-key-file", files.clusterKey] : [],
      authenticated: true,
      strangers: ["evil"],
    },
    async (lab, step) => {
      await using evil = await Attacker.start({
        host: lab.network.host("evil"),
        directory: `${lab.directory}/evil`,
      });
      const raid = new Raid({ lab, evil, clusterKey: withKey ? files.key : undefined });
      const sharing = new Sharing(raid);
      await play(step, "sixClients", { withKey }, () => sharing.sixClients());
      await play(step, "twoNamespaces", { withKey }, () => sharing.twoNamespaces());
      await play(step, "tokenAfterRestart", { withKey }, () => sharing.tokenAfterRestart());
      await play(step, "falseDoubts", { withKey }, () => sharing.falseDoubts());
      if (withKey) {
        await step("a restarted node gives what is private at once", () => restart(raid));
      }
      // The last: the first node asks the second for nothing more.
      await play(step, "damagedCopy", { withKey }, () => sharing.damagedCopy());
    },
  );
}

/** What several want, or one node has wrong. */
class Sharing {
  readonly #raid: Raid;
  readonly #lab: Lab;

  constructor(raid: Raid) {
    this.#raid = raid;
    this.#lab = raid.lab;
  }

  async sixClients(): Promise<string> {
    const { image } = await this.#heldBySecond("open/six", { layerBytes: LAYERS });
    await this.#lab.upstream.stop();
    const answers: string[] = [];
    for (const { digest, content } of image.layers) {
      const path = pathOf(`open/six/blobs/${digest}`);
      for (const part of [undefined, { start: 1_000_000, end: 11_000_000 }]) {
        const want = part === undefined ? content : content.subarray(part.start, part.end + 1);
        answers.push(...await this.#askAtOnce(path, part, want));
      }
    }
    return `${only(answers)} for all, and the right bytes`;
  }

  async twoNamespaces(): Promise<string> {
    const { image, reference } = await this.#heldBySecond("open/two", { layerBytes: LAYERS });
    await this.#lab.upstream.stop();
    const { containerd } = this.#raid.first;
    const pull = async (namespace: string) => {
      const fetch = ["content", "fetch", "--hosts-dir", containerd.certsPath, reference];
      await containerd.ctr(fetch, { namespace, allowFailure: true });
      const { stdout } = await containerd.ctr(["content", "ls", "-q"], { namespace });
      return image.pulled.every(({ digest }) => stdout.includes(digest));
    };
    const have = await Promise.all(["one", "two"].map(pull));
    return have.every(Boolean) ? "both have it" : `${have.filter(Boolean).length} of 2 have it`;
  }

  async damagedCopy(): Promise<string> {
    const { first, second } = this.#raid;
    const published = await this.#heldBySecond("open/rot", { layerBytes: [3_000_000] });
    const { image, reference } = published;
    const path = pathOf(`open/rot/${blobOf(image)}`);
    const { digest } = image.layers[0] ?? assert.fail();
    await flipBit(`${second.containerd.contentPath}/blobs/sha256/${splitDigest(digest).hex}`);
    await this.#lab.upstream.stop();
    // Its own body breaks, or it is refused; either way it is told.
    await first.agent.request(path, { timeoutMs: 5_000 });
    const answers = async () => [
      `${await this.#status(path, PEER)} for nodes`,
      `${(await second.agent.request(path, { head: true })).status} for its own clients`,
    ];
    const withdrawn = "404 for nodes and 404 for its own clients";
    await until(async () => (await answers()).join(" and ") === withdrawn, {
      what: "the copy to be withdrawn",
      timeoutMs: 15_000,
    }).catch(() => {});
    const seen = (await answers()).join(" and ");
    if (seen !== withdrawn) return `not withdrawn: ${seen}`;
    const metrics = await second.agent.metrics();
    assert.equal(metrics.sum("eddy_damaged_content"), 1);
    assert.ok((await second.agent.log()).some((line) => line["digest"] === digest && line["fix"]));
    // As the line says: what is wrong is removed, and pulled again.
    await this.#lab.upstream.start();
    await second.containerd.remove(reference, image);
    await second.containerd.cri.pull(reference);
    await until(async () => await this.#status(path, PEER) === 200, {
      what: "the replaced copy to be served",
      timeoutMs: 30_000,
    });
    return "withdrawn: 404 for nodes and for its own clients; 200 once it is replaced";
  }

  async tokenAfterRestart(): Promise<string> {
    if (this.#raid.clusterKey === undefined) return this.#raid.tokenOrNone();
    const { image } = await this.#raid.heldBySecond("closed/restart");
    const target = `closed/restart/${blobOf(image)}`;
    const token = { ...PEER, [TOKEN]: await this.#raid.sign({ path: pathOf(target) }) };
    assert.equal(await this.#raid.steal(target, token), "200", "it is what a node sends");
    await this.#raid.second.agent.stop();
    await this.#raid.second.agent.start();
    return await this.#raid.steal(target, token);
  }

  async falseDoubts(): Promise<string> {
    const { image } = await this.#heldBySecond("open/doubts", { layerBytes: [3_000_000] });
    const { second, evil } = this.#raid;
    const path = pathOf(`open/doubts/${blobOf(image)}`);
    const before = await this.#checks();
    const urls = Array.from(
      { length: 100 },
      () => image.blobs.map(({ digest }) => pathOf(`open/doubts/blobs/${digest}`)),
    ).flat().map((path) => `http://${second.host.address}:5000${path}`);
    const headers = ["-H", "x-spegel-mirrored: true", "-H", "x-eddy-doubt: true"];
    await runCommand(onHost(evil.host, ["curl", "-sS", "-I", ...headers, ...urls]), {
      timeoutMs: 60_000,
    });
    // It is read in the background.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const times = await this.#checks() - before;
    const { status } = await second.agent.request(path, { head: true });
    const served = status === 200 ? "served on" : String(status);
    return `${served}; read again ${times === 1 ? "once" : `${times} times`}`;
  }

  /** Of headers, as somebody elsewhere is answered. */
  async #status(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
    const url = `http://${this.#raid.second.host.address}:5000${path}`;
    return (await httpRequest(this.#raid.evil.host, url, { head: true, headers })).status;
  }

  async #checks(): Promise<number> {
    return (await this.#raid.second.agent.metrics()).sum("eddy_content_checks_total");
  }

  async #heldBySecond(
    repository: string,
    { layerBytes }: { readonly layerBytes: readonly number[] },
  ): Promise<Published> {
    const published = await publish(this.#lab, repository, { layerBytes, plain: true });
    await this.#raid.pull(this.#raid.second, repository);
    await untilFindable(this.#raid.first, published.image, { repository });
    return published;
  }

  /** Statuses of clients of the first node that ask at the same moment. */
  async #askAtOnce(
    path: string,
    part: { readonly start: number; readonly end: number } | undefined,
    want: Uint8Array,
  ): Promise<string[]> {
    const directory = await Deno.makeTempDir({ prefix: "eddy-e2e-six-" });
    try {
      const range = part === undefined ? [] : ["-r", `${part.start}-${part.end}`];
      const each = Array.from({ length: CLIENTS }, (_, index) => [
        ...["-o", `${directory}/${index}`, `http://127.0.0.1:5000${path}`],
      ]).flat();
      const { stdout } = await runCommand(
        onHost(this.#raid.first.host, [
          ...["curl", "-sS", "--no-keepalive", "--parallel", "--parallel-immediate"],
          ...["--max-time", "60", ...range, "-w", "%{http_code}\\n", ...each],
        ]),
        { timeoutMs: 70_000, allowFailure: true },
      );
      const statuses = stdout.trim().split("\n").map((status) => status === "206" ? "200" : status);
      assert.equal(statuses.length, CLIENTS);
      if (only(statuses) !== "200") return statuses;
      for (let index = 0; index < CLIENTS; index++) {
        const got = await Deno.readFile(`${directory}/${index}`);
        assert.equal(Buffer.compare(got, want), 0, "other bytes");
      }
      return statuses;
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
}

/** As a disk does: nothing but the byte shows it, and containerd does not look. */
async function flipBit(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  const at = 1_234_567;
  await file.seek(at, Deno.SeekMode.Start);
  await file.read(byte);
  await file.seek(at, Deno.SeekMode.Start);
  await file.write(new Uint8Array([(byte[0] ?? 0) ^ 1]));
}

/** Nodes do not refuse each other because one of them has forgotten what it knew. */
async function restart({ lab, first, second }: Raid): Promise<void> {
  for (const node of [second, first]) {
    const repository = `closed/after-${node.host.name}`;
    const { image, reference } = await publish(lab, repository, { layerBytes: [900_000] });
    await second.containerd.cri.pull(reference, { auth: USER });
    await node.agent.stop();
    await node.agent.start();
    await lab.untilKnown(1);
    const before = (await first.agent.metrics()).sum("eddy_fetched_bytes_total");
    await until(async () => {
      const seen = await first.agent.request(pathOf(`${repository}/${blobOf(image)}`), {
        head: true,
        headers: RIGHT,
      });
      return seen.status === 200;
    }, { what: "the restarted node to be found", intervalMs: 100 });
    await first.containerd.cri.pull(reference, { auth: USER });
    const fetched = (await first.agent.metrics()).sum("eddy_fetched_bytes_total") - before;
    assert.ok(fetched >= 900_000, `${fetched} bytes came from the node`);
  }
}
