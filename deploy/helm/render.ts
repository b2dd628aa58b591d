/**
 * Renders the chart into the manifests of `deploy/kubernetes`, for those who do not use Helm. A test
 * keeps them equal. Needs `helm`, in the `PATH` or as the `HELM` variable names it. Usage:
 * `deno task render`.
 */

/** What the manifests are rendered for; `helm` would take the version that it was built with. */
const KUBERNETES_VERSION = "1.34.0";
const CHART = new URL("eddy", import.meta.url).pathname;
const TARGET = new URL("../kubernetes/", import.meta.url);
const NAMESPACE = "eddy";

const HEADER = "# Rendered from deploy/helm/eddy by `deno task render`; change that, not this.\n";
const NAMESPACE_OBJECT = `---
apiVersion: v1
kind: Namespace
metadata:
  name: ${NAMESPACE}
`;

/** Text of each manifest by its file name. */
export async function renderManifests(helm: string): Promise<Record<string, string>> {
  const documents = (await template(helm)).split(/^---\n/m).filter((text) => text.trim() !== "");
  const isHook = (text: string) => text.includes("helm.sh/hook:");
  return {
    "eddy.yaml": HEADER + NAMESPACE_OBJECT + join(documents.filter((text) => !isHook(text))),
    "cleanup.yaml": HEADER + join(documents.filter(isHook)),
  };
}

async function template(helm: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(helm, {
    args: [
      ...["template", "eddy", CHART, "--namespace", NAMESPACE],
      ...["--kube-version", KUBERNETES_VERSION],
      // A key in a public file is none.
      ...["--set", "clusterKey.enabled=false"],
    ],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`helm template: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout);
}

/** Without the lines that say who manages the objects: kubectl does. */
function join(documents: readonly string[]): string {
  const skipped = /^ *(# Source: |helm\.sh\/|app\.kubernetes\.io\/managed-by: )/;
  return documents.map((text) => {
    const lines = text.trimEnd().split("\n").filter((line) => !skipped.test(line));
    // Hooks have no annotations but Helm's.
    const kept = lines.filter((line, index) => {
      return line.trim() !== "annotations:" || indentation(lines[index + 1]) > indentation(line);
    });
    return `---\n${kept.join("\n")}\n`;
  }).join("");
}

function indentation(line = ""): number {
  return line.length - line.trimStart().length;
}

if (import.meta.main) {
  await Deno.mkdir(TARGET, { recursive: true });
  const manifests = await renderManifests(Deno.env.get("HELM") ?? "helm");
  for (const [name, text] of Object.entries(manifests)) {
    await Deno.writeTextFile(new URL(name, TARGET), text);
  }
}
