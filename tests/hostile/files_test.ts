import assert from "node:assert/strict";
import { basename } from "node:path";
import { digestOf } from "../../lib/oci/digest.ts";
import { OciLayoutWriter } from "../../lib/store/oci_layout/oci_layout_writer.ts";
import { eddyBinary } from "../e2e/lab/eddy_command.ts";
import { runCommand } from "../e2e/lab/run_command.ts";
import { writeSecrets } from "../e2e/lab/secrets.ts";
import { until } from "../e2e/lab/until.ts";
import { putImage, sampleImage } from "../store/sample_image.ts";
import { casesOf, testWith } from "../support/test.ts";
import { LoneAgent } from "./lone_agent.ts";
import { play } from "./play.ts";

const binary = eddyBinary();
const missing = binary === undefined ? ["a compiled program (EDDY_BIN)"] : [];
const SECRET = "registry.invalid/team/secret";

for (const withKey of [true, false]) {
  testWith(missing, `hostile: files, ${withKey ? "with" : "without"} a cluster key`, async (t) => {
    using files = await writeSecrets();
    const directory = await Deno.makeTempDir({ prefix: "eddy-hostile-" });
    const flags = withKey ? ["--cluster-key-file", files.clusterKey] : [];
    const agent = new LoneAgent({ binary: binary ?? "", directory, flags });
    const step = casesOf(t, { after: () => agent.stop(), explain: () => agent.tail() });
    try {
      await play(step, "codeCache", { withKey }, () => codeCache(agent));
      await play(step, "hiddenHost", { withKey }, () => hiddenHost(agent));
      await play(step, "tornList", { withKey }, () => tornList(agent));
    } finally {
      await agent.stop();
      await Deno.remove(directory, { recursive: true });
    }
  });
}

/** A pipe that nobody writes to: whoever opens it waits. */
async function codeCache(agent: LoneAgent): Promise<string> {
  const temporary = `${agent.directory}/tmp`;
  await Deno.mkdir(temporary);
  const planted = `deno-compile-${basename(agent.binary)}.cache`;
  await runCommand(["mkfifo", "--mode=666", `${temporary}/${planted}`]);
  const argv = ["env", `TMPDIR=${temporary}`, "timeout", "10", agent.binary, "version"];
  const { code } = await runCommand(argv, { allowFailure: true });
  await Deno.remove(`${temporary}/${planted}`);
  await agent.start({ temporary });
  await agent.stop();
  const left = await Array.fromAsync(Deno.readDir(temporary), ({ name }) => name);
  return `${code === 0 ? "not opened" : "opened"}; ` +
    (left.length === 0 ? "nothing is left there" : `left there: ${left.join()}`);
}

async function hiddenHost(agent: LoneAgent): Promise<string> {
  const path = `${agent.certs}/docker.io/hosts.toml`;
  const host = (name: string) =>
    `# ${name}\n[host."https://${name}.example"]\n  skip_verify = true\n\n` +
    `[host."https://${name}.example".header]\n  Authorization = "Basic ${name}"\n`;
  await Deno.mkdir(`${agent.certs}/docker.io`, { recursive: true });
  await Deno.writeTextFile(path, host("first"));
  await agent.start({ flags: ["--prepend-existing=false"] });
  for (const name of ["second", "third"]) {
    const text = await Deno.readTextFile(path);
    assert.match(text, /# >>> eddy/);
    await Deno.writeTextFile(path, `${text}\n${host(name)}`);
    await until(async () => !(await Deno.readTextFile(path)).includes(name), {
      what: `the ${name} host to be put aside`,
    });
  }
  await agent.stop();
  await runCommand([agent.binary, "cleanup", "--containerd-registry-config-path", agent.certs]);
  const restored = await Deno.readTextFile(path);
  assert.ok(!restored.includes("eddy"), restored);
  const lost = ["first", "second", "third"].filter((name) => !restored.includes(host(name)));
  return lost.length === 0 ? "all hosts and their headers are back" : `lost: ${lost.join(", ")}`;
}

/** The agent learned once that it is private, which nobody can tell it now. */
async function tornList(agent: LoneAgent): Promise<string> {
  const writer = new OciLayoutWriter(agent.layout);
  const image = sampleImage("secret", digestOf);
  await putImage(image, async (text) => (await writer.putManifest(text)).digest);
  await writer.putManifest(image.manifest, `${SECRET}:1`);
  const whole = JSON.stringify({ private: [SECRET] });
  const answers = new Set<number>();
  for (const torn of ["", whole.slice(0, 20), "\0".repeat(whole.length)]) {
    await agent.start({
      before: (data) => Deno.writeTextFile(`${data}/private-repositories.json`, torn),
    });
    const [registry, ...rest] = SECRET.split("/");
    const paths = [
      "manifests/1",
      `manifests/${digestOf(image.manifest)}`,
      ...image.layers.map((layer) => `blobs/${digestOf(layer)}`),
    ];
    for (const path of paths) {
      const url = `${agent.url}/v2/${rest.join("/")}/${path}?ns=${registry}`;
      const response = await fetch(url, { headers: { "x-spegel-mirrored": "true" } });
      await response.body?.cancel();
      answers.add(response.status);
    }
    await agent.stop();
  }
  return [...answers].join(", ");
}
