import assert from "node:assert/strict";
import { createHttpBootstrapper } from "../../lib/router/bootstrap/http_bootstrapper.ts";
import { readCertificates } from "../../lib/router/bootstrap/read_certificates.ts";
import { withFiles } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

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
    await withFiles(files, async (directory) => {
      assert.deepEqual(await readCertificates(directory), wanted);
    });
  });
}

for (const [has, lacks] of [["tls.crt", "tls.key"], ["tls.key", "tls.crt"]] as const) {
  test(`certificates: ${has} without ${lacks} is refused, at each round anew`, async () => {
    await withFiles({ [has]: "X" }, async (directory) => {
      const url = "https://127.0.0.1:1/id";
      const bootstrapper = createHttpBootstrapper({ url, certificates: directory });
      const get = () => bootstrapper.get(new AbortController());
      await assert.rejects(get(), new RegExp(`has only ${has}, want tls.crt and tls.key`));
      await Deno.remove(`${directory}/${has}`);
      await assert.rejects(get(), ({ message }: Error) => !message.includes("has only"));
    });
  });
}
