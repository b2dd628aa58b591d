import assert from "node:assert/strict";
import { Attacker } from "../e2e/lab/attacker/attacker.ts";
import { containerdReleases } from "../e2e/lab/containerd_release.ts";
import { httpRequest } from "../e2e/lab/http_request.ts";
import type { Lab } from "../e2e/lab/lab.ts";
import { labSuite } from "../e2e/lab/lab_suite.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { Outsider } from "./lab/outsider.ts";
import { play } from "./play.ts";

const OPEN = 18_002;
const CLOSED = 18_003;
const REBINDING = "rebinds.test";
const REBINDING_PORT = 7070;
/** Names of loopback, as hosts of URLs and as requests write them. */
const LOOPBACK = [
  ...["localhost", "LOCALHOST", "x.localhost", "127.0.0.1", "127.1", "127.0.0.53", "2130706433"],
  ...["0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "0", "0.0.0.0", "[::1]", "[::]"],
  ...["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:0:0:1]"],
];

const { current } = containerdReleases();
const files = await writeSecrets();
addEventListener("unload", () => files[Symbol.dispose]());

for (const withKey of [true, false]) {
  await labSuite(
    `hostile: requests, ${withKey ? "with" : "without"} a cluster key`,
    {
      id: `req-${withKey ? "k" : "n"}`,
      releases: [current],
      flags: withKey ? ["--cluster-key-file", files.clusterKey] : [],
      strangers: ["evil"],
    },
    async (lab, step) => {
      const { host } = lab.node(1);
      await using trap = await Outsider.start(host, `${lab.directory}/trap`, {
        traps: [OPEN, REBINDING_PORT].map((port) => ({ hostname: "::", port })),
        names: {
          name: REBINDING,
          addresses: [lab.network.host("evil").address, "127.0.0.1"],
        },
      });
      await using evil = await Attacker.start({
        host: lab.network.host("evil"),
        directory: `${lab.directory}/evil`,
      });
      const requests = new Requests(lab, trap, evil);
      await play(step, "loopbackNames", { withKey }, () => requests.loopbackNames());
      await play(step, "rebindingRegistry", { withKey }, () => requests.rebindingRegistry());
      await play(step, "rebindingToken", { withKey }, () => requests.rebindingToken());
      await play(step, "reasons", { withKey }, () => requests.reasons());
    },
  );
}

class Requests {
  readonly #lab: Lab;
  readonly #trap: Outsider;
  readonly #evil: Attacker;

  constructor(lab: Lab, trap: Outsider, evil: Attacker) {
    this.#lab = lab;
    this.#trap = trap;
    this.#evil = evil;
  }

  async loopbackNames(): Promise<string> {
    await this.#trap.noted();
    const answers = new Set<string>();
    for (const [index, name] of LOOPBACK.entries()) {
      answers.add(await this.#ask(`${name}:${OPEN}`, `app${index}`));
      answers.add(await this.#ask(`${name}:${OPEN}`, `app${index}`, "stranger"));
    }
    // What is no name at all is not looked for either.
    for (const name of ["localhost.", "127.0.0.1.", "[::1%25lo]", "a@127.0.0.1", "xn--a"]) {
      const status = await this.#ask(`${name}:${OPEN}`, "odd");
      assert.match(status, /^40[04]$/);
    }
    return `${[...answers].join(", ")}; ${await this.#connected(OPEN)}`;
  }

  async rebindingRegistry(): Promise<string> {
    await this.#trap.noted();
    for (const repository of ["one", "two"]) {
      await this.#ask(`${REBINDING}:${REBINDING_PORT}`, repository);
    }
    return await this.#rebound();
  }

  async rebindingToken(): Promise<string> {
    const registry = `${this.#evil.host.address}:5000`;
    await this.#named(registry);
    const realm = `http://${REBINDING}:${REBINDING_PORT}/token`;
    await this.#evil.behave("challenge", { challenge: `Bearer realm="${realm}"` });
    await this.#trap.noted();
    for (const repository of ["three", "four"]) await this.#ask(registry, repository);
    assert.ok((await this.#evil.seen()).length > 0, "the registry is asked");
    return await this.#rebound();
  }

  async reasons(): Promise<string> {
    const bodies = new Set<string>();
    for (const port of [OPEN, CLOSED]) {
      for (const headers of [{}, { "x-spegel-mirrored": "true" }]) {
        const url = `http://${this.#lab.node(1).host.address}:5000` +
          `/v2/same/manifests/v1?ns=127.0.0.1:${port}`;
        const { status, body } = await httpRequest(this.#evil.host, url, { headers });
        const { detail } = JSON.parse(body).errors[0];
        bodies.add(detail === undefined ? `${status}` : `${status} ${JSON.stringify(detail)}`);
      }
    }
    const told = [...bodies].join(", ");
    return /^\d+$/.test(told) ? `${told} for all, without a reason` : told;
  }

  /** The status of a request for an image of a registry. */
  async #ask(
    registry: string,
    repository: string,
    who: "local client" | "stranger" = "local client",
  ): Promise<string> {
    const { host } = this.#lab.node(1);
    const [from, at] = who === "stranger" ? [this.#evil.host, host.address] : [host, "127.0.0.1"];
    const ns = encodeURIComponent(registry);
    const url = `http://${at}:5000/v2/${repository}/manifests/v1?ns=${ns}`;
    return String((await httpRequest(from, url)).status);
  }

  /** Says by a file of the node that a registry speaks plain HTTP. */
  async #named(registry: string): Promise<void> {
    const directory = `${this.#lab.node(1).containerd.certsPath}/${registry}`;
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(`${directory}/hosts.toml`, `server = "http://${registry}"\n`);
  }

  async #connected(port: number, noted?: readonly string[]): Promise<string> {
    const seen = noted ?? await this.#trap.noted();
    return seen.includes(`connection ${port}`) ? "connected to" : "not connected to";
  }

  /** Whether loopback was, after the name server has given its address. */
  async #rebound(): Promise<string> {
    const noted = await this.#trap.noted();
    assert.ok(noted.includes("name 127.0.0.1"), noted.join());
    return await this.#connected(REBINDING_PORT, noted);
  }
}
