import assert from "node:assert/strict";
import { USER } from "../e2e/lab/auth/token_authentication.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { httpRequest } from "../e2e/lab/http_request.ts";
import type { Lab } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import type { Host } from "../e2e/lab/network.ts";
import { publish, type Published } from "../e2e/lab/publish.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { until } from "../e2e/lab/until.ts";
import { play } from "./play.ts";

const PAGES = ["overview", "content", "requests", "measure", "checks", "config"];
const LAYERS = [300_000, 900_000];
/** Made up by the client: nothing of it may make the node take it for its own. */
const CLAIMS: readonly Readonly<Record<string, string>>[] = [
  { "x-forwarded-for": "127.0.0.1" },
  { forwarded: "for=127.0.0.1" },
  { "x-real-ip": "127.0.0.1" },
  { host: "localhost:9090" },
  { "x-spegel-mirrored": "true" },
  { authorization: `Basic ${btoa("eddy:guess")}` },
];

const { old, current } = containerdReleases();
const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

for (const withKey of [true, false]) {
  await labSuite(
    `hostile: pages of the metrics port, ${withKey ? "with" : "without"} a cluster key`,
    {
      id: `pag-${withKey ? "k" : "n"}`,
      releases: withKey ? [current, current] : [old, old],
      flags: [
        ...["--registry-filters", "never/closed/"],
        ...["--private-images", "auto,*/closed/*"],
        ...(withKey ? ["--cluster-key-file", files.clusterKey] : []),
      ],
      authenticated: true,
      strangers: ["evil"],
    },
    async (lab, step) => {
      const held = await hold(lab);
      const pages = new Pages(lab, held);
      await step("the node's own users see all of it", async () => {
        await until(async () => (await pages.told(lab.node(1).host, {})).length === 3, {
          what: "name, digests and patterns on the pages, as the node's own user sees them",
        });
      });
      await play(step, "pageNames", { withKey }, () => pages.asStranger([{}]));
      await play(step, "pageHeaders", { withKey }, () => pages.asStranger(CLAIMS));
      await play(step, "pageMeasure", { withKey }, () => pages.measure());
    },
  );
}

interface Held {
  readonly open: Published;
  readonly closed: Published;
}

/** A public and a private image, pulled by the first node; the second has the public one too. */
async function hold(lab: Lab): Promise<Held> {
  const open = await publish(lab, "open/app", { layerBytes: LAYERS, seed: "open" });
  const closed = await publish(lab, "closed/vault", { layerBytes: LAYERS, seed: "closed" });
  const [n1, n2] = [lab.node(1), lab.node(2)];
  await n1.containerd.cri.pull(closed.reference, { auth: USER });
  for (const { containerd } of [n1, n2]) await containerd.cri.pull(open.reference);
  const digests = open.image.pulled.length + closed.image.pulled.length;
  await until(async () => (await n1.agent.metrics()).sum("eddy_advertised_digests") >= digests, {
    what: "the first node to advertise both images",
  });
  return { open, closed };
}

/** The pages of the first node. */
class Pages {
  readonly #lab: Lab;
  readonly #held: Held;
  readonly #digests: readonly string[];

  constructor(lab: Lab, held: Held) {
    this.#lab = lab;
    this.#held = held;
    this.#digests = held.closed.image.pulled.map(({ digest }) => digest);
  }

  /** Which secrets somebody is told: name of the image, digests of it, patterns of private images. */
  async told(from: Host, headers: Readonly<Record<string, string>>): Promise<string[]> {
    let text = "";
    for (const path of this.#paths()) {
      const { status, body } = await this.#get(from, path, headers);
      assert.ok([200, 302].includes(status), `${path}: ${status}`);
      // What was searched for is repeated in its field.
      text += body.replaceAll(/value="[^"]*"/g, "");
    }
    const secrets = {
      name: ["vault"],
      digests: this.#digests.map((digest) => digest.slice("sha256:".length).slice(0, 12)),
      patterns: ["/closed/"],
    };
    return Object.entries(secrets).flatMap(([kind, parts]) =>
      parts.some((part) => text.includes(part)) ? [kind] : []
    );
  }

  async asStranger(claims: readonly Readonly<Record<string, string>>[]): Promise<string> {
    const evil = this.#lab.network.host("evil");
    const told = new Set<string>();
    for (const headers of claims) {
      for (const each of await this.told(evil, headers)) told.add(each);
      for (const path of ["/metrics", "/readyz", "/livez"]) {
        assert.equal((await this.#get(evil, path, headers)).status, 200, path);
      }
    }
    if (told.size > 0) return `told: ${[...told].join(", ")}`;
    const { body } = await this.#get(evil, "/debug/api/content", {});
    assert.ok(body.includes(this.#held.open.reference), "what is public is shown");
    return "names and digests of public images only";
  }

  async measure(): Promise<string> {
    const evil = this.#lab.network.host("evil");
    const asked = async () =>
      (await this.#lab.node(2).agent.metrics()).sum("eddy_http_requests_total");
    const before = await asked();
    const { open, closed } = this.#held;
    const answers = new Set<string>();
    for (const image of [closed.reference, ...this.#digests, open.reference]) {
      for (const page of ["measure", "api/measure"]) {
        for (const more of ["", "&pull=false"]) {
          const path = `/debug/${page}?image=${encodeURIComponent(image)}${more}`;
          answers.add(String((await this.#get(evil, path, {})).status));
        }
      }
    }
    const more = await asked() - before;
    return `${[...answers].join(", ")}; the node asks ${more === 0 ? "no peer" : "its peer"}`;
  }

  #paths(): string[] {
    const words = ["vault", "closed", ...this.#digests.slice(0, 1)].map(encodeURIComponent);
    return [
      ...["/", "/debug/", "/debug/api", "/debug/web/metadata", "/metrics"],
      ...PAGES.flatMap((
        name,
      ) => [`/debug/${name === "overview" ? "" : name}`, `/debug/api/${name}`]),
      ...words.flatMap((word) =>
        ["content", "requests"].flatMap((name) => [
          `/debug/${name}?q=${word}`,
          `/debug/api/${name}?q=${word}`,
        ])
      ),
    ];
  }

  #get(from: Host, path: string, headers: Readonly<Record<string, string>>) {
    const { address } = this.#lab.node(1).host;
    return httpRequest(from, `http://${address}:9090${path}`, { headers });
  }
}
