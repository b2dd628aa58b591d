import assert from "node:assert/strict";
import { containerdReleases } from "./lab/containerd_release.ts";
import { CriImages } from "./lab/cri_images.ts";
import { eddyCommand } from "./lab/eddy_command.ts";
import { httpRequest } from "./lab/http_request.ts";
import { hostsToml, K3s, K3S_CERTS, type K3sRegistries, unmerged } from "./lab/k3s.ts";
import type { Lab } from "./lab/lab.ts";
import type { Case } from "../support/test.ts";
import { labSuite } from "./lab/lab_suite.ts";
import { Machine } from "./lab/machine.ts";
import { publish } from "./lab/publish.ts";
import { report } from "./lab/report.ts";
import { until } from "./lab/until.ts";
import { untilFindable } from "./lab/until_findable.ts";
import { UPSTREAM } from "./lab/upstream.ts";

/** Where the program lies that the user has downloaded. */
const DOWNLOAD = "/run/machine/eddy";
/** How often k3s is started anew. */
const RESTARTS = 5;
/** A registry host of the user's that k3s knows nothing of. */
const OWN_HOSTS = '# mine\nserver = "https://own.example"\n[host."https://cache.own.example"]\n';

const LAB_REGISTRY = { server: `https://${UPSTREAM}/v2`, endpoints: [`http://${UPSTREAM}/v2`] };
const REGISTRIES: K3sRegistries = {
  [UPSTREAM]: LAB_REGISTRY,
  "docker.io": {
    server: "https://registry-1.docker.io/v2",
    endpoints: ["https://mirror.example.com/v2"],
  },
};

/** Everything that Eddy has to be in. */
const ALL = ["_default", "own.example", ...Object.keys(REGISTRIES)];

const { current } = containerdReleases();

await labSuite(
  "a service of systemd beside k3s",
  {
    id: "k3s",
    releases: [current],
    hosts: ["k1"],
    tools: ["/lib/systemd/systemd", "systemd-analyze", "nsenter", "unshare", "setpriv"],
    compiled: true,
  },
  async (lab, step) => {
    await using machine = await Machine.boot(lab.network.host("k1"), `${lab.directory}/k1`);
    const k3s = await K3s.start(machine, current, REGISTRIES);
    await machine.write(`${K3S_CERTS}/own.example/hosts.toml`, OWN_HOSTS);
    await machine.copyProgram(eddyCommand()[0] ?? "", DOWNLOAD);
    const site = { lab, machine, k3s };
    const explained: Case = (name, fn) =>
      step(name, () =>
        fn().catch(async (error) => {
          throw new Error(`${error}\n${await machine.journal("eddy.service")}`, { cause: error });
        }));
    await installCases(site, explained);
    await regenerationCases(site, explained);
    await runningCases(site, explained);
    await embeddedMirrorCase(site, explained);
    await explained("cleanup finds what to restore where nothing runs any more", async () => {
      await machine.run(["systemctl", "stop", "eddy.service", "k3s.service"]);
      await machine.run(["rm", "-rf", "/run/k3s"]);
      await eddy(machine, "cleanup");
      assert.deepEqual(await k3s.hosts(), generated(REGISTRIES));
      await k3s.restart();
      await machine.run(["systemctl", "start", "eddy.service"]);
      assert.deepEqual(unmerged(await k3s.hosts(), ALL), []);
    });
    await explained("uninstall restores what k3s wrote last, byte for byte", async () => {
      const { stderr } = await eddy(machine, "uninstall");
      assert.match(stderr, /eddy\.env is kept, for it was edited/);
      assert.deepEqual(await k3s.hosts(), generated(REGISTRIES));
      await k3s.restart();
      assert.deepEqual(await k3s.hosts(), generated(REGISTRIES));
    });
  },
);

interface Site {
  readonly lab: Lab;
  readonly machine: Machine;
  readonly k3s: K3s;
}

/** Into place and away again, once and twice. */
async function installCases({ lab, machine, k3s }: Site, step: Case): Promise<void> {
  const before = await machine.changes();
  const permissions = await k3s.permissions();
  let installed: Record<string, string> = {};

  await step("install --dry-run says what it would do, and does nothing", async () => {
    const { stdout } = await eddy(machine, "install", "--dry-run");
    assert.match(stdout, /^would copy .*\nwould write .*eddy\.service\n(would .*\n)+$/);
    assert.deepEqual(await machine.changes(), before);
  });

  await step("install needs root", async () => {
    const argv = ["setpriv", "--reuid", "65534", "--clear-groups", DOWNLOAD, "install"];
    const { code, stdout, stderr } = await machine.run(argv, { allowFailure: true });
    assert.match(stderr, /^eddy: install: got user id 65534, want root[^\n]*\n$/);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  });

  await step("install makes it a service that is active once it serves", async () => {
    const begin = performance.now();
    await eddy(machine, "install");
    report(`eddy install until the service is active: ${elapsed(begin)} ms`);
    const host = lab.network.host("k1");
    assert.equal((await httpRequest(host, "http://127.0.0.1:5000/readyz")).status, 200);
    assert.deepEqual(
      [await show(machine, "ActiveState"), await show(machine, "StatusText")],
      ["active", "Serving images to this node and to its peers"],
    );
    const { stdout, stderr } = await machine.run(
      ["systemd-analyze", "verify", "--man=no", "/etc/systemd/system/eddy.service"],
    );
    assert.equal(stdout + stderr, "");
    assert.match(await machine.journal("eddy.service"), /"distribution":"k3s"/);
    assert.deepEqual(unmerged(await k3s.hosts(), ALL), []);
    installed = await machine.changes();
    assert.equal((await eddy(machine, "install")).stdout, "nothing to change\n");
    assert.deepEqual(await machine.changes(), installed);
  });

  await step("uninstall leaves no residue, nor does installing again", async () => {
    const certs = await k3s.hosts();
    await eddy(machine, "uninstall");
    assert.deepEqual(await machine.changes(), before);
    assert.deepEqual(await k3s.hosts(), generated(REGISTRIES));
    assert.deepEqual(await k3s.permissions(), permissions);
    assert.equal((await eddy(machine, "uninstall")).stdout, "nothing to change\n");
    await eddy(machine, "install");
    // Only its identity is another one.
    const withoutKey = (tree: Record<string, string>) =>
      Object.entries(tree).filter(([path]) => path !== "var/lib/eddy/private.key");
    assert.deepEqual(withoutKey(await machine.changes()), withoutKey(installed));
    assert.deepEqual(await k3s.hosts(), certs);
  });
}

/** k3s writes registry hosts anew whenever it starts. */
async function regenerationCases({ machine, k3s }: Site, step: Case): Promise<void> {
  await step("what k3s writes anew has Eddy in it again at once", async () => {
    const times: number[] = [];
    for (let i = 0; i < RESTARTS; i++) {
      // Not all of it stays the same, as when somebody edits registries.yaml.
      const registries = {
        ...REGISTRIES,
        [`new-${i}.example`]: { server: "https://new.example/v2", endpoints: [] },
      };
      await k3s.configure(registries);
      await k3s.restart();
      await until(async () => {
        const now = await k3s.hosts();
        if (Object.hasOwn(now, `new-${i - 1}.example/hosts.toml`)) throw new Error("not removed");
        const missing = unmerged(now, [...ALL, `new-${i}.example`]);
        if (missing.length > 0) throw new Error(`without Eddy: ${missing.join(", ")}`);
        return true;
      }, { what: "the mirror configuration to be back", timeoutMs: 15_000, intervalMs: 10 });
      const written = await Promise.all(
        Object.keys(registries).map((name) =>
          Deno.stat(machine.path(`${K3S_CERTS}/${name}/hosts.toml`))
        ),
      );
      const last = Math.max(...written.map(({ mtime }) => mtime?.getTime() ?? Number.NaN));
      times.push(last - await k3s.generatedAt());
    }
    report(
      `back after k3s wrote registry hosts: ${times.map((ms) => ms.toFixed(0)).join(", ")} ms`,
    );
    await k3s.configure(REGISTRIES);
    await k3s.restart();
  });

  await step("the user's own registries are still there, behind Eddy", async () => {
    await until(async () => unmerged(await k3s.hosts(), ALL).length === 0, {
      what: "the mirror configuration to be back",
    });
    const now = await k3s.hosts();
    assert.match(now["own.example/hosts.toml"] ?? "", /127\.0\.0\.1:5000[^]*cache\.own\.example/);
    assert.match(now["docker.io/hosts.toml"] ?? "", /127\.0\.0\.1:5000[^]*mirror\.example\.com/);
    assert.equal(now["_backup/own.example/hosts.toml"], OWN_HOSTS);
  });
}

/** It works as an agent does, and is kept running. */
async function runningCases({ lab, machine, k3s }: Site, step: Case): Promise<void> {
  await step(
    "settings of the environment file count, and it shares images with peers",
    async () => {
      const shipped = await machine.read("/etc/eddy/eddy.env");
      await machine.write(
        "/etc/eddy/eddy.env",
        `${shipped}BOOTSTRAP_KIND=dns\nDNS_BOOTSTRAP_DOMAIN=eddy.test\n`,
      );
      await machine.run(["systemctl", "restart", "eddy.service"]);
      using cri = new CriImages(k3s.socket);
      const mine = await publish(lab, "k3s/mine", { layerBytes: [300_000] });
      await cri.pull(mine.reference);
      await untilFindable(lab.node(1), mine.image, { repository: mine.repository, tag: "v1" });
      const theirs = await publish(lab, "k3s/theirs", { layerBytes: [300_000] });
      await lab.node(1).containerd.cri.pull(theirs.reference);
      await until(async () => {
        const url = `http://127.0.0.1:5000/v2/${theirs.repository}/manifests/v1?ns=${UPSTREAM}`;
        return (await httpRequest(lab.network.host("k1"), url)).status === 200;
      }, { what: "the k3s node to find its peer's image" });
      await lab.upstream.stop();
      await cri.pull(theirs.reference);
      await lab.node(1).containerd.cri.pull(mine.reference);
    },
  );

  await step("an agent that dies is started again", async () => {
    const pid = await show(machine, "MainPID");
    await machine.run(["systemctl", "kill", "--signal=SIGKILL", "eddy.service"]);
    const { elapsedMs } = await until(async () => {
      const now = await show(machine, "MainPID");
      return now !== "0" && now !== pid && await show(machine, "ActiveState") === "active";
    }, { what: "the service to be active again" });
    report(`killed agent is active again after ${elapsedMs.toFixed(0)} ms`);
  });

  await step("an agent that hangs is started again", async () => {
    const dropIn = "/etc/systemd/system/eddy.service.d/watchdog.conf";
    await machine.write(dropIn, "[Service]\nWatchdogSec=2\nRestartSec=1\n");
    await machine.run(["systemctl", "daemon-reload"]);
    await machine.run(["systemctl", "restart", "eddy.service"]);
    const sign = () => show(machine, "WatchdogTimestampMonotonic");
    const first = await sign();
    await until(async () => await sign() !== first, { what: "the agent's sign of life" });
    const pid = await show(machine, "MainPID");
    await machine.run(["systemctl", "kill", "--signal=SIGSTOP", "eddy.service"]);
    await until(async () => {
      const now = await show(machine, "MainPID");
      return now !== "0" && now !== pid && await show(machine, "ActiveState") === "active";
    }, { what: "the service to be active again" });
    await machine.run(["rm", "-r", dropIn.slice(0, dropIn.lastIndexOf("/"))]);
    await machine.run(["systemctl", "daemon-reload"]);
  });

  await step("a stop undoes nothing, and a start changes nothing", async () => {
    const before = await k3s.hosts();
    await machine.run(["systemctl", "stop", "eddy.service"]);
    assert.equal(await show(machine, "Result"), "success");
    assert.deepEqual(await k3s.hosts(), before);
    await machine.run(["systemctl", "start", "eddy.service"]);
    assert.deepEqual(await k3s.hosts(), before);
  });
}

/** k3s' own mirror does the same, and has the router's port. */
async function embeddedMirrorCase({ machine }: Site, step: Case): Promise<void> {
  const said =
    /k3s runs its own embedded registry mirror \(embedded-registry: true in \/etc\/ranch/;

  await step("k3s' own mirror is noticed, and named where it has the port", async () => {
    await machine.write("/etc/rancher/k3s/config.yaml", "embedded-registry: true\n", 0o600);
    await machine.run(["systemctl", "restart", "eddy.service"]);
    assert.match(await machine.journal("eddy.service"), said);
    const { stdout } = await machine.run([DOWNLOAD, "doctor"], { allowFailure: true });
    assert.match(stdout, said);
    await machine.run(["systemctl", "stop", "eddy.service"]);
    const listen = ["systemd-run", "--quiet", "--unit=p2p", "--socket-property=ListenStream=5001"];
    // It begins with the first connection, and has to last longer than those of peers.
    await machine.run([...listen, "sleep", "infinity"]);
    const { code } = await machine.run(["systemctl", "start", "eddy.service"], {
      allowFailure: true,
    });
    assert.equal(code, 1);
    const last = (await machine.journal("eddy.service")).split("\n")
      .findLast((line) => line.startsWith("eddy: ")) ?? "";
    assert.match(last, /^eddy: router cannot listen on :5001: the address is already in use; k3s /);
    assert.match(last, said);
    await machine.run(["systemctl", "stop", "p2p.socket"]);
    await machine.run(["systemctl", "stop", "p2p.service"], { allowFailure: true });
    await machine.run(["rm", "-r", "/etc/rancher"]);
    await machine.run(["systemctl", "restart", "eddy.service"]);
    assert.equal(await show(machine, "ActiveState"), "active");
  });
}

function eddy(machine: Machine, ...args: readonly string[]) {
  return machine.run([DOWNLOAD, ...args], { timeoutMs: 60_000 });
}

async function show(machine: Machine, property: string): Promise<string> {
  const argv = ["systemctl", "show", "--value", "--property", property, "eddy.service"];
  return (await machine.run(argv)).stdout.trim();
}

/** Registry hosts as k3s and the user left them. */
function generated(registries: K3sRegistries): Record<string, string> {
  return {
    ...Object.fromEntries(
      Object.entries(registries).map(([name, it]) => [`${name}/hosts.toml`, hostsToml(it)]),
    ),
    "own.example/hosts.toml": OWN_HOSTS,
  };
}

function elapsed(begin: number): string {
  return (performance.now() - begin).toFixed(0);
}
