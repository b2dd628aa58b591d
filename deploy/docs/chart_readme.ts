import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";

const HEAD = `# Helm chart of Eddy

<!-- Generated from values.yaml by \`deno task docs\`; do not edit. -->

Installs the agent as a DaemonSet. Deleting the release restores containerd's configuration on every
node. How to install, and which rights the features need:
[docs/install.md](../../../docs/install.md#kubernetes).

\`\`\`sh
helm install eddy deploy/helm/eddy -n eddy --create-namespace --set image.repository=REGISTRY/eddy
\`\`\`

A values file for Spegel's chart works as it is: \`spegel\` is accepted in place of \`eddy\`, and takes
precedence.
`;

/** A value of the chart. */
interface Value {
  /** Such as `image.tag`. */
  readonly path: string;
  readonly help: string;
  /** As JSON. */
  readonly preset: string;
}

/**
 * The chart's README: each value with its default and the comment above it (`# -- …`), in sections
 * (`# @section -- …`), both as helm-docs has them.
 *
 * @throws {Error} naming a value that has no comment.
 */
export function renderChartReadme(values: string): string {
  const document = parseDocument(values);
  if (!isMap(document.contents)) throw new Error("values.yaml: want a map");
  const sections: string[] = [];
  for (const pair of document.contents.items) {
    const comment = commentOf(pair, pair === document.contents.items[0] ? document : undefined);
    const title = /@section -- (.*)/.exec(comment)?.[1];
    if (title !== undefined) sections.push(`\n## ${title}\n\n`);
    const own = valuesOf(pair, "", helpOf(comment));
    sections.push(own.map(renderValue).join(""));
  }
  return HEAD + sections.join("");
}

function valuesOf(pair: Pair, above: string, help: string): Value[] {
  const path = `${above}${String(pair.key)}`;
  const { value } = pair;
  if (help === "" && isMap(value) && value.items.length > 0) {
    return (value as YAMLMap).items.flatMap((child, index) =>
      valuesOf(child, `${path}.`, helpOf(commentOf(child, index === 0 ? value : undefined)))
    );
  }
  if (help === "") throw new Error(`values.yaml: ${path} has no comment`);
  const preset = isMap(value) || !isScalar(value) ? (value as YAMLMap).toJSON() : value.value;
  return [{ path, help, preset: JSON.stringify(preset) }];
}

/** The comment above a key; that of the first one belongs to the map. */
function commentOf(
  { key }: Pair,
  map?: { readonly commentBefore?: string | null },
): string {
  const own = (key as { commentBefore?: string | null }).commentBefore;
  return [map?.commentBefore, own].filter((text) => text).join("\n");
}

/** What comes after `--`, up to the end of the comment. */
function helpOf(comment: string): string {
  const [, help = ""] = /^ -- ([^]*)$/m.exec(comment.replace(/@section -- .*/, "")) ?? [];
  return help.split("\n").map((line) => line.trim()).join(" ").trim();
}

function renderValue({ path, help, preset }: Value): string {
  return `- \`${path}\` (default \`${preset}\`): ${help}\n`;
}
