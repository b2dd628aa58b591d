import assert from "node:assert/strict";
import fc from "fast-check";
import { configuredEndpoints } from "../../lib/agent/upstream_endpoints.ts";
import { systemClock } from "../../lib/async/clock.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { createUpstream } from "../../lib/upstream/create_upstream.ts";
import { MemoryLog } from "../fakes/log.ts";
import { Authority, selfSigned } from "../support/certificates.ts";
import type { TestContext } from "../support/test.ts";
import { type HostsCase, hostsCases, hostsFile, SERVERS } from "./hosts_toml_cases.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";
import { Recorders, type Seen } from "./recorders.ts";

/** Files for each release of containerd. */
const FILES = Number(Deno.env.get("EDDY_TEST_FILES") ?? 120);
const DIGEST: Digest = `sha256:${"0".repeat(64)}`;
const CONFIGURED = { username: "", password: "", configured: "as it is" };

interface Lab {
  readonly recorders: Recorders;
  readonly containerd: RealContainerd;
  /** containerd's directory of registry hosts. */
  readonly certs: string;
  /** Certificates for the folders of registries. */
  readonly certificates: string;
}

async function compare(each: HostsCase, lab: Lab): Promise<void> {
  const { recorders, containerd, certs, certificates } = lab;
  const registry = recorders.host(each.registry);
  const port = registry.replace(/:(\d+)$/, "_$1_");
  const folder = { "host:port": registry, "host_port_": port, "_default": "_default" }[each.folder];
  const text = hostsFile(each, (server) => recorders.host(server));
  await Deno.mkdir(`${certs}/${folder}`, { recursive: true });
  // Their names are such that containerd finds them by hosts.toml alone.
  for await (const { name } of Deno.readDir(certificates)) {
    await Deno.copyFile(`${certificates}/${name}`, `${certs}/${folder}/${name}`);
  }
  await Deno.writeTextFile(`${certs}/${folder}/hosts.toml`, text);
  const runtime = { clock: systemClock, log: new MemoryLog() };
  const upstream = createUpstream({
    ...runtime,
    endpoints: configuredEndpoints({
      ...{ registryConfigPath: certs, mirroredRegistries: [registry] },
      ...{ mirrorTargets: [], registryAddr: { host: "", port: 1 } },
    }, runtime),
  }, { budgetMs: 10_000 });
  try {
    const name = `${registry}/library/app${each.byDigest ? `@${DIGEST}` : ":1"}`;
    const fetch = ["content", "fetch", "--hosts-dir", certs, name];
    // Nobody has it, and some files leave nobody to be asked, or none who could be.
    const theirs = await recorders.during(() => assert.rejects(containerd.ctr("default", fetch)));
    const place = { registry, repository: "library/app" };
    const reference = each.byDigest ? { ...place, digest: DIGEST } : { ...place, tag: "1" };
    const { signal } = new AbortController();
    const ours = await recorders.during(() =>
      upstream.head({ kind: "manifest", reference }, { signal, credentials: CONFIGURED })
    );
    assert.deepEqual(distinct(ours), distinct(theirs), `${name}, ${folder}/hosts.toml:\n${text}`);
  } finally {
    upstream.close();
    await Deno.remove(`${certs}/${folder}`, { recursive: true });
  }
}

/** A server that is a host, too, gets the same request twice of containerd, and one of Eddy. */
function distinct(requests: readonly Seen[]): readonly Seen[] {
  const known = new Map(requests.map((request) => [JSON.stringify(request), request]));
  return [...known.values()];
}

/** Makes the files that hosts.toml can name: authorities and a client's certificate. */
async function makeCertificates(directory: string) {
  const authority = await Authority.make(`${directory}/authority`);
  const other = await Authority.make(`${directory}/other`);
  await authority.issue(`${directory}/server`, "127.0.0.1");
  await authority.issue(`${directory}/client`, "client");
  await Deno.mkdir(`${directory}/own`);
  await selfSigned(`${directory}/own`, "IP:127.0.0.1");
  const read = (path: string) => Deno.readTextFile(`${directory}/${path}`);
  const [cert, key] = [await read("server/tls.crt"), await read("server/tls.key")];
  const client = [await read("client/tls.crt"), await read("client/tls.key")];
  const certificates = `${directory}/certificates`;
  await Deno.mkdir(certificates);
  const files = {
    ...{ "ca.pem": await authority.certificate(), "other.pem": await other.certificate() },
    ...{ "client.pem": client.join(""), "client.crt.pem": client[0], "client.key.pem": client[1] },
  };
  for (const [name, text = ""] of Object.entries(files)) {
    await Deno.writeTextFile(`${certificates}/${name}`, text);
  }
  const own = { cert: await read("own/tls.crt"), key: await read("own/tls.key") };
  await Deno.writeTextFile(`${certificates}/own.pem`, own.cert);
  return { certificates, tls: { none: undefined, ca: { cert, key }, own } };
}

async function suite(_: TestContext, binaries: ContainerdBinaries): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-hosts-toml-" });
  const containerd = new RealContainerd(directory, binaries);
  try {
    const { certificates, tls } = await makeCertificates(directory);
    await using recorders = await Recorders.start(SERVERS.map((certificate) => tls[certificate]));
    await containerd.start();
    const lab = { recorders, containerd, certs: `${directory}/certs`, certificates };
    await fc.assert(
      fc.asyncProperty(hostsCases(binaries.major), (each) => compare(each, lab)),
      { numRuns: FILES, endOnFailure: true },
    );
  } finally {
    await containerd.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

await testEachContainerd(
  (major) => `hosts.toml: Eddy asks whom containerd ${major}.x asks, in the same way`,
  suite,
  (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false }),
);
