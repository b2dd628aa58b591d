/** Writes the pages that are generated. Usage: `deno task docs`; a test keeps them equal. */
import { renderChartReadme } from "./chart_readme.ts";
import { renderConfiguration } from "./configuration.ts";
import { renderManPage } from "./man_page.ts";

const ROOT = new URL("../../", import.meta.url);

/** The generated pages: path below the project, and text before it is formatted. */
export async function generatedPages(): Promise<Record<string, string>> {
  const values = await Deno.readTextFile(new URL("deploy/helm/eddy/values.yaml", ROOT));
  return {
    "docs/configuration.md": renderConfiguration(),
    "deploy/helm/eddy/README.md": renderChartReadme(values),
    "deploy/man/eddy.8": renderManPage(),
  };
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await generatedPages())) {
    await Deno.writeTextFile(new URL(path, ROOT), text);
  }
}
