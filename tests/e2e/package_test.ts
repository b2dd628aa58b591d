import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import { CriImages } from "./lab/cri_images.ts";
import { eddyCommand } from "./lab/eddy_command.ts";
import { httpRequest, type HttpRequestOptions } from "./lab/http_request.ts";
import { K3s, unmerged } from "./lab/k3s.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { Machine } from "./lab/machine.ts";
import { publish } from "./lab/publish.ts";
import { runCommand } from "./lab/run_command.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

const BUILD = new URL("../../deploy/packages/build", import.meta.url).pathname;
const CACHE = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
const NFPM = Deno.env.get("NFPM") ?? `${CACHE}/eddy/bin/nfpm`;
const REGISTRIES = {
  [UPSTREAM]: { server: `https://${UPSTREAM}/v2`, endpoints: [`http://${UPSTREAM}/v2`] },
};
const UNIT = "eddy.service";
const PEERS = "BOOTSTRAP_KIND=dns\nDNS_BOOTSTRAP_DOMAIN=eddy.test\n";

const { current } = containerdReleases();

await labSuite(
  "the Debian package",
  {
    id: "deb",
    releases: [current],
    hosts: ["d1"],
    tools: ["/lib/systemd/systemd", "nsenter", "unshare", "dpkg", "dpkg-deb", NFPM],
    compiled: true,
  },
  async (lab, step) => {
    const host = lab.network.host("d1");
    await using machine = await Machine.boot(host, `${lab.directory}/d1`);
    const k3s = await K3s.start(machine, current, REGISTRIES);
    const untouched = await k3s.hosts();
    const is = async (verb: string) =>
      (await machine.run(["systemctl", verb, UNIT], { allowFailure: true })).stdout.trim();
    const install = async (version: string) => {
      const out = `${lab.directory}/packages`;
      const deno = `DENO=${Deno.execPath()}`;
      await runCommand(
        ["env", `NFPM=${NFPM}`, deno, BUILD, eddyCommand()[0] ?? "", "amd64", version, out],
        { timeoutMs: 120_000 },
      );
      const name = `eddy_${version}_amd64.deb`;
      await Deno.copyFile(`${out}/${name}`, machine.path(`/run/machine/${name}`));
      return await machine.run(["dpkg", "-i", `/run/machine/${name}`], { timeoutMs: 60_000 });
    };

    await step("installing says what is left to do, and starts nothing", async () => {
      const { stdout } = await install("1.2.3");
      assert.match(stdout, /systemctl enable --now eddy/);
      assert.deepEqual([await is("is-enabled"), await is("is-active")], ["disabled", "inactive"]);
      assert.deepEqual(await k3s.hosts(), untouched);
      const { stdout: version } = await machine.run(["eddy", "version", "--format", "json"]);
      assert.match(JSON.parse(version).platform, /^linux\//);
    });

    await step("enabled, it serves and configures containerd", async () => {
      await machine.run(["systemctl", "enable", "--now", UNIT], { timeoutMs: 60_000 });
      assert.equal((await httpRequest(host, "http://127.0.0.1:5000/readyz")).status, 200);
      assert.deepEqual(unmerged(await k3s.hosts(), ["_default", UPSTREAM]), []);
    });

    await step("its containerd pulls from a peer, and the peer's from it", async () => {
      await machine.write("/etc/eddy/eddy.env", PEERS);
      await machine.run(["systemctl", "restart", UNIT], { timeoutMs: 60_000 });
      using cri = new CriImages(k3s.socket);
      const mine = await publish(lab, "deb/mine", { layerBytes: [300_000] });
      const theirs = await publish(lab, "deb/theirs", { layerBytes: [300_000] });
      await cri.pull(mine.reference);
      await lab.node(1).containerd.cri.pull(theirs.reference);
      const agent = {
        request: (path: string, options?: HttpRequestOptions) =>
          httpRequest(host, `http://127.0.0.1:5000${path}`, options),
      };
      for (
        const [node, { image, repository }] of [
          [lab.node(1), mine],
          [{ host, agent }, theirs],
        ] as const
      ) await untilFindable(node, image, { repository, tag: "v1" });
      await lab.upstream.stop();
      await cri.pull(theirs.reference);
      await lab.node(1).containerd.cri.pull(mine.reference);
    });

    await step("a newer version replaces the process, and keeps the settings", async () => {
      const before = await machine.run(["systemctl", "show", "-P", "MainPID", UNIT]);
      await machine.write("/etc/eddy/eddy.env", "LOG_LEVEL=debug\n");
      await install("1.2.4");
      const after = await machine.run(["systemctl", "show", "-P", "MainPID", UNIT]);
      assert.notEqual(after.stdout, before.stdout);
      assert.equal(await is("is-active"), "active");
      assert.equal(await machine.read("/etc/eddy/eddy.env"), "LOG_LEVEL=debug\n");
    });

    await step("removing restores the node; purging leaves nothing", async () => {
      await machine.run(["dpkg", "-r", "eddy"], { timeoutMs: 60_000 });
      assert.deepEqual(await k3s.hosts(), untouched);
      assert.equal(await is("is-active"), "inactive");
      const left = async (path: string) =>
        await Deno.lstat(machine.path(path)).then(() => true, () => false);
      assert(await left("/var/lib/eddy/private.key"), "the identity is kept until purge");
      await machine.run(["dpkg", "--purge", "eddy"]);
      const gone = ["/usr/bin/eddy", "/etc/eddy", "/var/lib/eddy", `/lib/systemd/system/${UNIT}`];
      for (const path of gone) assert(!await left(path), path);
    });
  },
);
