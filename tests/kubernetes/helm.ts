import { parseAllDocuments } from "yaml";
import { testWith } from "../support/test.ts";

/** The chart's directory. */
export const CHART = new URL("../../deploy/helm/eddy", import.meta.url).pathname;

// deno-lint-ignore no-explicit-any
export type Json = any;

const helm = await findHelm();

/** Needs helm: left out where there is none, saying so; in CI it fails instead. */
export function helmTest(name: string, run: (helm: string) => Promise<void>): void {
  testWith(helm === undefined ? ["helm"] : [], `chart: ${name}`, () => run(helm ?? ""));
}

async function findHelm(): Promise<string | undefined> {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  const directory = Deno.env.get("EDDY_TEST_KUBERNETES") ?? `${cache}/eddy/bin`;
  for (const candidate of ["helm", `${directory}/helm`]) {
    const found = await run(candidate).catch(() => false);
    if (found) return candidate;
  }
  return undefined;
}

async function run(program: string): Promise<boolean> {
  return (await new Deno.Command(program, { args: ["version"] }).output()).success;
}

/** Renders the chart with values. */
export async function template(
  program: string,
  values: unknown,
  version = "1.34.0",
): Promise<{ success: boolean; objects: Json[]; stderr: string }> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(values));
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: ["template", "site", CHART, "-n", "ns", "--kube-version", version, "-f", file],
    }).output();
    const decoder = new TextDecoder();
    const documents = success ? parseAllDocuments(decoder.decode(stdout)) : [];
    return {
      success,
      objects: [...documents].map((document) => document.toJS()).filter((object) =>
        object !== null
      ),
      stderr: decoder.decode(stderr),
    };
  } finally {
    await Deno.remove(file);
  }
}

/** The arguments of the container of a DaemonSet or Job, variables filled in. */
export function argsOf(objects: readonly Json[], kind: string, name: string): string[] {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  return found.spec.template.spec.containers[0].args
    .map((arg: string) => arg.replaceAll("$(NODE_IP)", "10.0.0.1"));
}
