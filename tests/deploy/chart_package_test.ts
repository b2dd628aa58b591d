import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { packageChart } from "../../deploy/helm/package.ts";
import { helmTest } from "../kubernetes/helm.ts";
import { tempDirectory } from "../support/temp_directory.ts";

const SETTINGS = {
  version: "1.2.3-rc.1",
  repository: "https://git.example/team/eddy",
  image: "registry.example/team/eddy",
  digest: `sha256:${"ab".repeat(32)}`,
};

async function run(helm: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(helm, { args }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout);
}

helmTest("the package names its release", async (helm) => {
  await using out = await tempDirectory();
  const archive = await packageChart({ ...SETTINGS, out: out.path }, helm);
  assert.equal(archive, `${out.path}/eddy-1.2.3-rc.1.tgz`);
  await run(helm, "lint", "--strict", archive);
  const chart = parse(await run(helm, "show", "chart", archive));
  assert.deepEqual([chart.version, chart.appVersion], ["1.2.3-rc.1", "1.2.3-rc.1"]);
  assert.deepEqual([chart.home, chart.sources], [SETTINGS.repository, [SETTINGS.repository]]);
  assert.match(chart.icon, /^https:\/\/git\.example\/team\/eddy\/raw\/v1\.2\.3-rc\.1\/.*\.svg$/);
  const path = new URL(`../../${chart.icon.split("/raw/v1.2.3-rc.1/")[1]}`, import.meta.url);
  assert((await Deno.stat(path)).isFile);
  assert.equal(chart.maintainers.length, 1);
  const { annotations } = chart;
  assert.equal(annotations["artifacthub.io/prerelease"], "true");
  const [image] = parse(annotations["artifacthub.io/images"]);
  assert.equal(image.image, `${SETTINGS.image}:1.2.3-rc.1@${SETTINGS.digest}`);
  const objects = parseAllDocuments(
    await run(helm, "template", "eddy", archive, "--kube-version", "1.34.0"),
  )
    .map((document) => document.toJS()).filter((object) => object?.kind === "DaemonSet");
  assert.equal(objects.length, 2);
  for (const { spec } of objects) {
    const [container] = spec.template.spec.containers;
    assert.equal(container.image, `${SETTINGS.image}@${SETTINGS.digest}`);
  }
});

helmTest("a wrong setting of a release is named", async (helm) => {
  const wrong = [["version", "v1"], ["digest", "sha256:0"], ["repository", ""], ["image", "x"]];
  for (const [name = "", value] of wrong) {
    const settings = { ...SETTINGS, out: "/nowhere", [name]: value };
    await assert.rejects(packageChart(settings, helm), new RegExp(`^Error: --${name}: got `));
  }
});
