import assert from "node:assert/strict";
import { createHttpBootstrapper } from "../../lib/router/bootstrap/http_bootstrapper.ts";
import { readCertificates } from "../../lib/router/bootstrap/read_certificates.ts";
import { test } from "../support/test.ts";

async function inDirectory(
  files: Readonly<Record<string, string>>,
  run: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

for (
  const [files, wanted] of [
    [{}, {}],
    [{ "ca.crt": "A" }, { caCerts: ["A"] }],
    [{ "tls.crt": "C", "tls.key": "K" }, { cert: "C", key: "K" }],
    [{ "ca.crt": "A", "tls.crt": "C", "tls.key": "K" }, { caCerts: ["A"], cert: "C", key: "K" }],
    [{ "ca.crt": "\n", "tls.crt": "", "tls.key": "" }, {}],
  ] as const
) {
  test(`certificates of ${JSON.stringify(files)}`, async () => {
    await inDirectory(files, async (directory) => {
      assert.deepEqual(await readCertificates(directory), wanted);
    });
  });
}

for (const [has, lacks] of [["tls.crt", "tls.key"], ["tls.key", "tls.crt"]] as const) {
  test(`certificates: ${has} without ${lacks} is refused, at each round anew`, async () => {
    await inDirectory({ [has]: "X" }, async (directory) => {
      const url = "https://127.0.0.1:1/id";
      const bootstrapper = createHttpBootstrapper({ url, certificates: directory });
      const get = () => bootstrapper.get(new AbortController());
      await assert.rejects(get(), new RegExp(`has only ${has}, want tls.crt and tls.key`));
      await Deno.remove(`${directory}/${has}`);
      await assert.rejects(get(), ({ message }: Error) => !message.includes("has only"));
    });
  });
}
