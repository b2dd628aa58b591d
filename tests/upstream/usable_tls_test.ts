import assert from "node:assert/strict";
import { MisconfiguredError } from "../../lib/upstream/misconfigured_error.ts";
import { createTlsCheck } from "../../lib/upstream/usable_tls.ts";
import { Authority, missingOpenssl, versionOne } from "../support/certificates.ts";
import { inDirectory } from "../support/temp_directory.ts";
import { test, testWith } from "../support/test.ts";

const usableTls = createTlsCheck();

const block = (label: string, content: string) =>
  `-----BEGIN ${label}-----\n${content}\n-----END ${label}-----\n`;

testWith(
  await missingOpenssl(),
  "CA files: as Go reads them, what is no certificate is ignored",
  () =>
    inDirectory(async (directory) => {
      const authority = await Authority.make(`${directory}/ca`);
      const pem = await authority.certificate();
      const key = await Deno.readTextFile(`${directory}/ca/ca.key`);
      const trusted = block("TRUSTED CERTIFICATE", "AAAA");
      const files: [file: string, certificates: number][] = [
        [pem, 1],
        [`${pem}${pem}`, 2],
        [pem.replaceAll("\n", "\r\n"), 1],
        [`# text\n${key}${pem}# end`, 1],
        [`${block("CERTIFICATE", "AAAA")}${trusted}${pem}`, 1],
        [`${pem}-----BEGIN CERTIFICATE-----\nAAA`, 1],
      ];
      for (const [file, certificates] of files) {
        const [usable = ""] = usableTls({ caCertificates: [file] }).caCertificates;
        assert.equal(usable.split("BEGIN CERTIFICATE").length - 1, certificates, file);
        assert.ok(!/PRIVATE|TRUSTED|text|AAAA/.test(usable), usable);
      }
      for (const file of ["", "text", key, trusted, block("CERTIFICATE", "AAAA")]) {
        assert.throws(() => usableTls({ caCertificates: [pem, file] }), MisconfiguredError);
      }
    }),
);

testWith(
  await missingOpenssl(),
  "a client's certificate needs its own key",
  () =>
    inDirectory(async (directory) => {
      const authority = await Authority.make(`${directory}/ca`);
      const other = await Deno.readTextFile(`${directory}/ca/ca.key`);
      await authority.issue(directory, "client");
      const certificate = await Deno.readTextFile(`${directory}/tls.crt`);
      const key = await Deno.readTextFile(`${directory}/tls.key`);
      await versionOne(directory);
      const old = await Deno.readTextFile(`${directory}/v1.crt`);
      const ca = await authority.certificate();
      const usable = (certificate: string, key: string) =>
        usableTls({ caCertificates: [], client: { certificate, key } }).client;
      const both = `${key}# and\n${certificate}${ca}`;
      for (const each of [usable(certificate, key), usable(both, both)]) {
        assert.match(each?.certificate ?? "", /^-----BEGIN CERTIFICATE/);
        assert.match(
          each?.key ?? "",
          /^-----BEGIN PRIVATE KEY-----[^#]+-----END PRIVATE KEY-----$/,
        );
      }
      const bad: [certificate: string, key: string][] = [
        ...[[certificate, other], [`${ca}${certificate}`, key], [certificate, certificate]],
        ...[[old, key], [key, key], [block("CERTIFICATE", "AAAA"), key]],
        ...[[certificate, block("PRIVATE KEY", "AAAA")], [certificate, ""]],
      ] as [string, string][];
      for (const pair of bad) assert.throws(() => usable(...pair), MisconfiguredError);
    }),
);

test("a client's key that needs a passphrase is no outage", () => {
  const keys = [
    block("ENCRYPTED PRIVATE KEY", "AAAA"),
    block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"),
  ];
  for (const key of keys) {
    const client = { certificate: "", key };
    assert.throws(() => usableTls({ caCertificates: [], client }), /private key is encrypted/);
  }
  const settings = { caCertificates: [], client: undefined, skipVerify: true };
  assert.deepEqual(usableTls(settings), settings);
});
