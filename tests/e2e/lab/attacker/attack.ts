import assert from "node:assert/strict";
import { digestOf } from "../../../../lib/oci/digest.ts";
import { USER } from "../auth/token_authentication.ts";
import { publish } from "../publish.ts";
import { until } from "../until.ts";
import { UPSTREAM } from "../upstream.ts";
import type { Attacker } from "./attacker.ts";
import type { ATTEMPTS } from "./attempts.ts";
import {
  blobOf,
  credentialsIn,
  idOf,
  IMPOSTOR,
  LAYERS,
  only,
  pathOf,
  PEER,
  type Raid,
  RIGHT,
  TOKEN,
} from "./raid.ts";

/** Tries what {@link ATTEMPTS} lists, each by its name, and says what came of it. */
export class Attack implements Record<keyof typeof ATTEMPTS, () => Promise<string>> {
  readonly #raid: Raid;
  readonly #trap: Attacker;

  /** @param trap waits for requests on the first node itself, at port 7070 of all its addresses. */
  constructor(raid: Raid, trap: Attacker) {
    this.#raid = raid;
    this.#trap = trap;
  }

  async peer(): Promise<string> {
    const { image } = await this.#raid.heldBySecond("closed/peer");
    const answers = [];
    for (const what of ["manifests/v1", `manifests/${image.root.digest}`, blobOf(image)]) {
      answers.push(await this.#raid.steal(`closed/peer/${what}`, PEER));
    }
    return only(answers);
  }

  async authorization(): Promise<string> {
    const { image } = await this.#raid.heldBySecond("closed/authorization");
    const answers = [];
    for (const authorization of [RIGHT.authorization, "Basic Zm9vOmJhcg==", "Bearer x.y.z"]) {
      for (const peer of [{}, PEER]) {
        for (const what of ["manifests/v1", blobOf(image)]) {
          const headers = { ...peer, authorization };
          answers.push(await this.#raid.steal(`closed/authorization/${what}`, headers));
        }
      }
    }
    return only(answers);
  }

  async forged(): Promise<string> {
    const { image } = await this.#raid.heldBySecond("closed/forged");
    const path = pathOf(`closed/forged/${blobOf(image)}`);
    const token = await this.#raid.sign({ path, key: "not-the-key-of-the-cluster-0123456789" });
    const [, claims = ""] = token.split(".");
    const unsigned = `${btoa('{"alg":"none"}').replaceAll("=", "")}.${claims}.`;
    const answers = [];
    for (const forged of [token, unsigned]) {
      answers.push(
        await this.#raid.steal(`closed/forged/${blobOf(image)}`, { ...PEER, [TOKEN]: forged }),
      );
    }
    return only(answers);
  }

  async digest(): Promise<string> {
    const { image } = await this.#raid.heldBySecond("closed/digest");
    await this.#raid.heldBySecond("open/digest");
    const answers = [];
    for (const repository of ["open/digest", "open/nothing", "library/x"]) {
      for (const headers of [{}, PEER]) {
        answers.push(await this.#raid.steal(`${repository}/${blobOf(image)}`, headers));
      }
    }
    return only(answers);
  }

  async open(): Promise<string> {
    await this.#raid.heldBySecond("open/open");
    const asNode = await this.#raid.steal("open/open/manifests/v1", PEER);
    assert.equal(asNode, "200", "nodes without the key, such as Spegel's, get what is public");
    const answer = await this.#raid.steal("open/open/manifests/v1", {});
    return answer === "200" ? "200: it is public" : answer;
  }

  async own(): Promise<string> {
    const { image } = await publish(this.#raid.lab, "closed/own", { layerBytes: LAYERS });
    const asked = await this.#raid.lure("closed/own", image, await this.#raid.evil.id());
    if (asked.length === 0) return "there is no token";
    await this.#raid.pull(this.#raid.second, "closed/own");
    return await this.#raid.repeat(asked);
  }

  async relay(): Promise<string> {
    const { evil, lab, first, second } = this.#raid;
    const victim = await idOf(second);
    await evil.impersonate(victim);
    // Of nodes that it has met a node knows better: so they have not met.
    await second.agent.stop();
    await first.agent.stop();
    await first.agent.start();
    const { image } = await publish(lab, "closed/relay", { layerBytes: LAYERS });
    const asked = await this.#raid.lure("closed/relay", image, victim);
    await second.agent.start();
    if (asked.length === 0) return "there is no token";
    await this.#raid.pull(second, "closed/relay");
    return await this.#raid.repeat(asked);
  }

  async replay(): Promise<string> {
    if (this.#raid.clusterKey === undefined) return this.#raid.tokenOrNone();
    const { image } = await this.#raid.heldBySecond("closed/replay");
    const target = `closed/replay/${blobOf(image)}`;
    const path = pathOf(target);
    const fresh = async () => ({ ...PEER, [TOKEN]: await this.#raid.sign({ path }) });
    const used = await fresh();
    assert.equal(await this.#raid.steal(target, used), "200", "it is what a node sends");
    const late = await this.#raid.sign({ path, agoMs: 95_000 });
    return only([
      await this.#raid.steal(target, used),
      await this.#raid.steal(`closed/replay/manifests/${image.root.digest}`, await fresh()),
      await this.#raid.steal(target, await fresh(), { head: true }),
      await this.#raid.steal(target, await fresh(), {}, this.#raid.first),
      await this.#raid.steal(target, { ...PEER, [TOKEN]: late }),
    ]);
  }

  async bait(): Promise<string> {
    const { evil, lab } = this.#raid;
    const { image } = await publish(lab, "open/bait", { layerBytes: LAYERS });
    await evil.behave("challenge", {
      challenge: 'Basic realm="bait", Bearer realm="http://bait/"',
    });
    await evil.announce(image.pulled.map(({ digest }) => digest));
    const path = pathOf(`open/bait/${blobOf(image)}`);
    const seen = await this.#raid.untilAsked(async () => {
      const { status } = await this.#raid.first.agent.request(path, { headers: RIGHT });
      assert.equal(status, 404);
    });
    return `${credentialsIn(seen)}; the client sees 404`;
  }

  async borrowed(): Promise<string> {
    const { evil } = this.#raid;
    const realm = `http://${evil.host.address}:5000/token`;
    const challenge = `Bearer realm="${realm}",service="lab-registry", Basic realm="${UPSTREAM}"`;
    await evil.behave("challenge", { challenge });
    const seen = await this.#raid.untilAsked(async () => {
      await this.#raid.first.agent.request(
        `/v2/closed/app/manifests/v1?ns=${evil.host.address}:5000`,
      );
    });
    assert.ok(seen.some(({ path }) => path.startsWith("/token")), "its token server is asked");
    return credentialsIn(seen);
  }

  async realm(): Promise<string> {
    const { evil } = this.#raid;
    const trap = this.#trap;
    const pull = (repository: string) => {
      const path = `/v2/${repository}/manifests/v1?ns=${evil.host.address}:5000`;
      return this.#raid.first.agent.request(path, { headers: RIGHT });
    };
    const challenge = (host: string) => ({ challenge: `Bearer realm="http://${host}/token"` });
    await evil.behave("challenge", challenge(`${this.#raid.first.host.address}:7070`));
    await pull("followed");
    assert.ok((await trap.seen()).length > 0, "token servers elsewhere are asked");
    for (const host of ["127.0.0.1:7070", "169.254.169.254:7070"]) {
      await evil.behave("challenge", challenge(host));
      await pull(`to-${host.replaceAll(":", ".")}`);
    }
    const asked = await this.#raid.asked();
    const repositories = asked.flatMap(({ path }) => /\/v2\/(to-[^/]*)/.exec(path)?.[1] ?? []);
    assert.equal(new Set(repositories).size, 2);
    return (await trap.seen()).length === 0 ? "not asked" : "asked";
  }

  async named(): Promise<string> {
    const { image, reference } = await this.#raid.prepare("closed/named", "empty");
    const seen = await this.#raid.untilAsked(() =>
      this.#raid.first.containerd.cri.pull(reference, { auth: USER })
    );
    assert.deepEqual(await this.#raid.first.containerd.lacks(image), []);
    return `whoever may have it gets it; ${credentialsIn(seen)}`;
  }

  async flag(): Promise<string> {
    const { image, reference } = await this.#raid.prepare("open/flag", "private");
    const seen = await this.#raid.untilAsked(() => this.#raid.first.containerd.cri.pull(reference));
    assert.deepEqual(await this.#raid.first.containerd.lacks(image), []);
    return `the right image, ${credentialsIn(seen)}`;
  }

  async tag(): Promise<string> {
    const { image, reference } = await this.#raid.prepare("open/tag", "impostor");
    await this.#raid.untilAsked(() => this.#raid.first.containerd.cri.pull(reference));
    const lacking = await this.#raid.first.containerd.lacks(image);
    assert.ok(
      (await this.#raid.first.containerd.lacks(IMPOSTOR)).length === IMPOSTOR.pulled.length,
    );
    return lacking.length === 0 ? "the right image" : "another image";
  }

  async rubbish(): Promise<string> {
    const { evil } = this.#raid;
    const { image, reference } = await this.#raid.prepare("open/rubbish", "rubbish");
    await this.#raid.untilAsked(() => this.#raid.first.containerd.cri.pull(reference));
    assert.deepEqual(await this.#raid.first.containerd.lacks(image), []);
    const id = await evil.id();
    const lines = await this.#raid.first.agent.log();
    const shunned = lines.some(({ peer, reason }) => peer === id && reason === "bad-content");
    return `the right image${shunned ? "; it is shunned" : ""}`;
  }

  async outage(): Promise<string> {
    await this.#raid.prepare("open/outage", "impostor");
    return await this.#tagWithoutUpstream("open/outage");
  }

  async newer(): Promise<string> {
    const { image } = await this.#raid.prepare("open/newer", "empty");
    await this.#raid.pull(this.#raid.second, "open/newer");
    await this.#raid.evil.behave("impostor", { impostor: IMPOSTOR });
    const answers = [await this.#tagWithoutUpstream("open/newer")];
    // A node that does not hold it asks the one that does, beside the attacker.
    const path = pathOf("open/newer/manifests/v1");
    await until(async () => (await this.#raid.first.agent.request(path)).status === 200, {
      what: "the other node to get the tag",
    });
    answers.push(digestOf((await this.#raid.first.agent.request(path)).body));
    const answer = only(answers);
    return answer === image.root.digest ? "the node's image" : answer;
  }

  /** What the second node says of a tag; a status, if it says nothing. */
  async #tagWithoutUpstream(repository: string): Promise<string> {
    const { lab, second } = this.#raid;
    await lab.upstream.stop();
    let answer = "";
    const ask = async () => {
      const { status, body } = await second.agent.request(pathOf(`${repository}/manifests/v1`));
      const digest = digestOf(body);
      const isImpostor = digest === IMPOSTOR.root.digest;
      answer = isImpostor ? "its own image" : status === 200 ? digest : String(status);
    };
    // With a key everybody is asked for a proof.
    if (this.#raid.clusterKey !== undefined) await this.#raid.untilAsked(ask);
    else await this.#raid.untilFound(second, `${UPSTREAM}/${repository}:v1`, ask);
    return answer;
  }
}
