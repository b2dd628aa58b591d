import assert from "node:assert/strict";
import { test } from "../support/test.ts";
import { tableRows } from "./markdown.ts";

const ROOT = new URL("../../", import.meta.url);

/** Titles of tests by file, for each row of the table, by how its first cell begins. */
const TESTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "A `hosts.toml` without `server`": {
    "configurator/upstream_servers_test.ts": ["without a server, the registry's own name comes"],
    "integration/hosts_toml_test.ts": ["Eddy asks whom containerd"],
  },
  "Several servers": {
    "upstream/several_servers_test.ts": [
      "a mirror's refusal counts, whatever the next server says or does",
      "a server that fails is not asked again soon, a mirror beside it is",
      "a server that hangs does not cost the others their time",
    ],
  },
  "A page": {
    "upstream/several_servers_test.ts": ["a digest header counts beside a manifest's media type"],
    "upstream/create_upstream_test.ts": ["what is not what was asked for is no answer"],
    "integration/odd_registries_test.ts": ["Eddy finds what containerd"],
  },
  "A server that can never be asked": {
    "access/authorizer_test.ts": ["an upstream that can never be asked is no outage"],
    "commands/upstream_checks_test.ts": ["a registry that can never be asked is named"],
    "upstream/tokens_test.ts": ["a registry that speaks TLS may name no token server"],
    "upstream/send_test.ts": ["TLS proves the name of the URL, at whatever address"],
  },
  "A registry that is down": {
    "access/authorizer_test.ts": ["an image whose repository nobody has asked about is served"],
    "access/outsiders_test.ts": ["what cannot be asked is refused; what was public before is not"],
  },
  "A registry that answers 404": {
    "access/authorizer_test.ts": ["what an open registry does not have is nobody's secret"],
    "access/outsiders_test.ts": [
      "an upstream that has nothing, or hides what it has, opens nothing",
    ],
  },
  "Headers": {
    "configurator/upstream_servers_test.ts": ["a registry's servers, in containerd's order"],
    "upstream/tokens_test.ts": ["configured headers go to token servers at the registry's origin"],
  },
  "`capabilities`": {
    "upstream/several_servers_test.ts": ["a server is asked for what its capabilities allow"],
    "integration/hosts_toml_test.ts": ["Eddy asks whom containerd"],
  },
  "Certificates without a `hosts.toml`": {
    "configurator/upstream_servers_test.ts": ["client certificates: a file, files, pairs, and"],
  },
  "A `hosts.toml` that containerd refuses": {
    "configurator/upstream_servers_test.ts": ["of a hosts.toml that containerd refuses nothing"],
  },
  "A certificate file": {
    "configurator/upstream_servers_test.ts": [
      "a file that is named and cannot be used is an error",
    ],
    "upstream/usable_tls_test.ts": [
      "CA files: as Go reads them",
      "a client's certificate needs its own key",
    ],
  },
  "An authority of one's own": {
    "upstream/http/tls_test.ts": ["certificates: of the authority, several in a file"],
    "integration/hosts_toml_test.ts": ["Eddy asks whom containerd"],
    "upstream/client_choice_test.ts": ["the one that the server accepts is found"],
  },
  "A self-signed certificate": {
    "upstream/http/tls_test.ts": ["a certificate that is the server's and `ca` at once"],
  },
  "A certificate of an authority": {
    "upstream/http/tls_test.ts": ["certificates: of the authority, several in a file"],
  },
  "TLS settings of an `http://` URL": {
    "configurator/upstream_servers_test.ts": ["HTTPS is tried first where TLS settings belong"],
    "upstream/https_first_test.ts": ["what the port speaks is used, and remembered"],
    "agent/upstream_endpoints_test.ts": ["a registry's own name is trusted only if"],
  },
  "`skip_verify` behind a proxy": {
    "upstream/send_test.ts": ["skip_verify cannot be used through a proxy"],
  },
  "`HTTP_PROXY`": {
    "net/proxy_test.ts": ["proxies are chosen as Go's programs choose them"],
    "net/http_client_test.ts": ["requests to this machine and to nodes do not use them"],
  },
  "A server with a path": {
    "upstream/several_servers_test.ts": ["below a server's path a repository has the name"],
    "configurator/render_test.ts": ["additional mirrors: a path is that of the API"],
  },
  "`rewrite`": {
    "upstream/several_servers_test.ts": ["each server has its own names, credentials and scope"],
    "upstream/rewrite_repository_test.ts": ["repositories are rewritten by rules in Go's syntax"],
  },
  "Credentials in `registries.yaml`": {
    "agent/upstream_endpoints_test.ts": ["credentials belong to the server, not to the registry"],
    "agent/node_credentials_test.ts": ["values are text, and what is not used is named"],
  },
  "A file where the registry's folder would be": {
    "configurator/configure_test.ts": ["a file where a registry's folder would be is left alone"],
  },
  "Filters in Go's syntax": {
    "agent/reference_filter_test.ts": [
      "registry filters are read as Go reads them",
      "a registry filter that Go does not take is refused",
    ],
  },
  "Several ranges": {
    "oci/range_test.ts": ["one is resolved, what need not be served is ignored"],
  },
  "Images without a registry": {
    "advertiser/advertiser_test.ts": [
      "an image without a registry in its name is advertised by digest",
      "names without a registry are logged when their number changes",
    ],
    "commands/image_checks_test.ts": ["images without a registry in their name are named"],
  },
  "`registry.configs` with `tls`": {
    "commands/containerd_file_test.ts": ["TLS settings beside config_path stop containerd 1.x"],
    "integration/doctor_test.ts": ["TLS settings beside config_path, by the"],
  },
};

test("operations: each row about registries and networks has tests", async () => {
  const text = await Deno.readTextFile(new URL("docs/operations.md", ROOT));
  const [, section = ""] = text.split("\n### Registries and networks\n");
  const cells = tableRows(section.split("\n#")[0] ?? "").map(([cell = ""]) => cell);
  const begins = Object.keys(TESTS);
  const rowsOf = (begin: string) => cells.filter((cell) => cell.startsWith(begin));
  assert.deepEqual(begins.filter((begin) => rowsOf(begin).length !== 1), []);
  assert.deepEqual(cells.filter((cell) => !begins.some((begin) => cell.startsWith(begin))), []);
  for (const [begin, files] of Object.entries(TESTS)) {
    for (const [file, titles] of Object.entries(files)) {
      const source = await Deno.readTextFile(new URL(`tests/${file}`, ROOT));
      for (const title of titles) assert.ok(source.includes(title), `${begin}: ${file}: ${title}`);
    }
  }
});
