/**
 * Packages the chart for a release: as it is in the source, with the version, the image by its digest
 * and the links of the repository that releases it. Needs `helm`, in the `PATH` or as the `HELM`
 * variable names it. Usage:
 *
 *     package.ts --version 1.2.3 --repository https://github.com/OWNER/eddy \
 *       --image ghcr.io/OWNER/eddy --digest sha256:… --out DIR
 */
import { parseArgs } from "node:util";
import { parseDocument } from "yaml";

const CHART = new URL("eddy/", import.meta.url).pathname;
/** What each setting has to look like. */
const FORMS = {
  version: /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/,
  repository: /^https:\/\/\S+[^/]$/,
  image: /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/,
  digest: /^sha256:[0-9a-f]{64}$/,
  out: /./,
};

/** What a release adds to the chart. */
export type ReleaseSettings = Readonly<Record<keyof typeof FORMS, string>>;

/**
 * Packages the chart.
 *
 * @returns the path of the archive.
 * @throws {Error} if a setting is wrong, or helm fails.
 */
export async function packageChart(settings: ReleaseSettings, helm: string): Promise<string> {
  for (const [name, form] of Object.entries(FORMS) as [keyof typeof FORMS, RegExp][]) {
    if (!form.test(settings[name])) {
      throw new Error(`--${name}: got ${JSON.stringify(settings[name])}, want ${form.source}`);
    }
  }
  const { version, out } = settings;
  const work = await Deno.makeTempDir({ prefix: "eddy-chart-" });
  try {
    const chart = `${work}/eddy`;
    await run("cp", "-R", CHART, chart);
    await edit(`${chart}/Chart.yaml`, metadataOf(settings));
    await edit(`${chart}/values.yaml`, [
      [["image", "repository"], settings.image],
      [["image", "digest"], settings.digest],
    ]);
    await run(helm, "package", chart, "--destination", out);
    return `${out}/eddy-${version}.tgz`;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

type Change = readonly [path: readonly string[], value: unknown];

function metadataOf({ version, repository, image, digest }: ReleaseSettings): Change[] {
  const raw = `${repository}/raw/v${version}`;
  const links = `- name: documentation\n  url: ${repository}/tree/v${version}/docs\n`;
  const images = `- name: eddy\n  image: ${image}:${version}@${digest}\n` +
    "  platforms: [linux/amd64, linux/arm64]\n";
  return [
    [["version"], version],
    [["appVersion"], version],
    [["home"], repository],
    [["sources"], [repository]],
    [["icon"], `${raw}/deploy/helm/icon.svg`],
    [["annotations", "artifacthub.io/links"], links],
    [["annotations", "artifacthub.io/images"], images],
    [["annotations", "artifacthub.io/prerelease"], String(version.includes("-"))],
  ];
}

async function edit(path: string, changes: readonly Change[]): Promise<void> {
  const document = parseDocument(await Deno.readTextFile(path));
  for (const [keys, value] of changes) document.setIn(keys, value);
  await Deno.writeTextFile(path, document.toString());
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr).trim()}`);
}

if (import.meta.main) {
  const text = { type: "string", default: "" } as const;
  const { values } = parseArgs({
    args: Deno.args,
    options: { version: text, repository: text, image: text, digest: text, out: text },
  });
  const archive = await packageChart(values, Deno.env.get("HELM") ?? "helm");
  await Deno.stdout.write(new TextEncoder().encode(`${archive}\n`));
}
