import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { planInstall } from "../../lib/commands/service/install.ts";
import { SERVICE_ENVIRONMENT } from "../../lib/commands/service/service_files.ts";
import {
  checkServiceNode,
  type ServiceNode,
  serviceNode,
} from "../../lib/commands/service/service_node.ts";
import { takeSteps } from "../../lib/commands/service/step.ts";
import type { LeasePlace } from "../../lib/agent/end_layer_leases.ts";
import { planUninstall } from "../../lib/commands/service/uninstall.ts";
import { configure } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { optionsFor, readTree } from "../configurator/tree.ts";
import { test } from "../support/test.ts";

const K3S_CERTS = "var/lib/rancher/k3s/agent/etc/containerd/certs.d";
const USER_HOSTS = 'server = "https://registry-1.docker.io" # mine\n';

/** A machine below a directory, and the service manager's memory of one unit. */
class FakeNode {
  readonly node: ServiceNode;
  readonly ran: string[] = [];
  enabled = false;
  active = false;
  failed = false;
  /** Makes `systemctl start` fail, as the agent does without containerd. */
  startFails = false;

  /** Leases that keep layers, and where they were looked for. */
  leases: string[] = [];
  leasesAt: LeasePlace | undefined;
  containerdHangs = false;

  constructor(readonly root: string) {
    this.node = {
      ...serviceNode(root),
      uid: 0,
      executable: join(root, "download/eddy"),
      systemctl: {
        run: (...args) => this.#run(args),
        asks: (question) =>
          Promise.resolve(
            { "is-enabled": this.enabled, "is-active": this.active, "is-failed": this.failed }[
              question as "is-enabled"
            ],
          ),
      },
    };
  }

  async install(): Promise<string> {
    return await this.#take(await planInstall(this.node));
  }

  async uninstall(): Promise<{ said: string; remarks: readonly string[] }> {
    const { steps, remarks } = await planUninstall(this.node, {
      registryConfigPath: undefined,
      containerd: { containerdSock: undefined, containerdNamespace: "k8s.io" },
      endLeases: (place, { dryRun }) => {
        if (this.containerdHangs) return Promise.reject(new Error("it does not answer"));
        this.leasesAt = place;
        const names = this.leases;
        if (!dryRun) this.leases = [];
        return Promise.resolve(names);
      },
    });
    return { said: await this.#take(steps), remarks };
  }

  async #take(steps: Parameters<typeof takeSteps>[0]): Promise<string> {
    let said = "";
    await takeSteps(steps, { stdout: (text) => void (said += text) }, false);
    return said.replaceAll(`${this.root}/`, "/");
  }

  #run(args: readonly string[]): Promise<void> {
    this.ran.push(args.join(" "));
    if (args[0] === "enable") this.enabled = true;
    if (args[0] === "start" && this.startFails) return Promise.reject(new Error("it failed"));
    if (args[0] === "start") this.active = true;
    if (args[0] === "disable") this.enabled = this.active = false;
    return Promise.resolve();
  }
}

async function withNode(use: (fake: FakeNode) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "eddy-node-" });
  try {
    for (
      const directory of ["download", "usr/local/bin", "etc/systemd/system", "var/lib", K3S_CERTS]
    ) {
      await Deno.mkdir(join(root, directory), { recursive: true });
    }
    await Deno.writeTextFile(join(root, "download/eddy"), "the program, version 1");
    await Deno.mkdir(join(root, K3S_CERTS, "docker.io"));
    await Deno.writeTextFile(join(root, K3S_CERTS, "docker.io/hosts.toml"), USER_HOSTS);
    await use(new FakeNode(root));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** What the agent does when it runs: its identity, and the mirror configuration. */
async function runAgent({ root, node }: FakeNode): Promise<void> {
  await Deno.mkdir(node.paths.state, { recursive: true });
  await Deno.writeTextFile(join(node.paths.state, "private.key"), "secret");
  await configure({ fileSystem: denoFileSystem }, optionsFor(join(root, K3S_CERTS)));
}

test("service: install puts everything in place, once", async () => {
  await withNode(async (fake) => {
    const said = await fake.install();
    assert.deepEqual(said.trimEnd().split("\n"), [
      "copy /download/eddy to /usr/local/bin/eddy",
      "write /etc/systemd/system/eddy.service",
      "run systemctl daemon-reload",
      "write /etc/eddy/eddy.env",
      "run systemctl enable eddy.service",
      "run systemctl start eddy.service",
    ]);
    assert.deepEqual(fake.ran, [
      "daemon-reload",
      "enable eddy.service",
      "start eddy.service",
    ]);
    const { mode } = await Deno.stat(fake.node.paths.binary);
    assert.equal((mode ?? 0) & 0o777, 0o755);
    const tree = await readTree(fake.root);
    assert.equal(await fake.install(), "nothing to change\n");
    assert.deepEqual(await readTree(fake.root), tree);
    assert.equal(fake.ran.length, 3, "nor is anything run");
  });
});

test("service: install, uninstall and install again leave no residue", async () => {
  await withNode(async (fake) => {
    const before = await readTree(fake.root);
    await fake.install();
    await runAgent(fake);
    const installed = await readTree(fake.root);
    assert.notDeepEqual(installed[`${K3S_CERTS}/docker.io/hosts.toml`], `644 ${USER_HOSTS}`);
    const { said, remarks } = await fake.uninstall();
    assert.deepEqual(remarks, []);
    assert.match(said, /^run systemctl disable --now eddy\.service\nrestore .*certs\.d\n/);
    assert.deepEqual(await readTree(fake.root), before);
    assert.deepEqual(
      [await fake.uninstall(), await readTree(fake.root)],
      [{ said: "nothing to change\n", remarks: [] }, before],
    );
    await fake.install();
    await runAgent(fake);
    assert.deepEqual(await readTree(fake.root), installed);
  });
});

test("service: a new version replaces program and unit, never the user's settings", async () => {
  await withNode(async (fake) => {
    await fake.install();
    const mine = `${SERVICE_ENVIRONMENT}LOG_LEVEL=debug\n`;
    await Deno.writeTextFile(fake.node.paths.environment, mine);
    await Deno.writeTextFile(fake.node.paths.unit, "[Unit]\nDescription=of another version\n");
    await Deno.writeTextFile(join(fake.root, "download/eddy"), "the program, version 2");
    fake.ran.length = 0;
    await fake.install();
    assert.deepEqual(fake.ran, ["daemon-reload", "restart eddy.service"]);
    assert.equal(await Deno.readTextFile(fake.node.paths.environment), mine);
    assert.equal(await Deno.readTextFile(fake.node.paths.binary), "the program, version 2");
    const { remarks } = await fake.uninstall();
    assert.match(remarks.join(), /eddy\.env is kept, for it was edited/);
    assert.equal(await Deno.readTextFile(fake.node.paths.environment), mine);
    await fake.install();
    assert.equal(await Deno.readTextFile(fake.node.paths.environment), mine);
  });
});

test("service: layers are no longer kept once it is uninstalled", async () => {
  await withNode(async (fake) => {
    await fake.install();
    await Deno.writeTextFile(
      fake.node.paths.environment,
      "CONTAINERD_SOCK=/run/other.sock\nCONTAINERD_NAMESPACE=moby\n",
    );
    fake.leases = ["eddy-layers-1"];
    const { said } = await fake.uninstall();
    assert.match(said, /^end the lease eddy-layers-1$/m);
    assert.deepEqual(fake.leases, []);
    const place = { containerdSock: "/run/other.sock", containerdNamespace: "moby" };
    assert.deepEqual(fake.leasesAt, place);
    fake.containerdHangs = true;
    const { remarks } = await fake.uninstall();
    assert.match(remarks.join(), /layers may be kept until their lease ends: it does not answer/);
  });
});

test("service: what users put beside the unit is kept, and said", async () => {
  await withNode(async (fake) => {
    await fake.install();
    const dropIn = join(fake.node.paths.dropIns, "limits.conf");
    await Deno.mkdir(dirname(dropIn));
    await Deno.writeTextFile(dropIn, "[Service]\nMemoryMax=1G\n");
    const { remarks } = await fake.uninstall();
    assert.match(remarks.join(), /eddy\.service\.d is kept/);
    assert.ok(await Deno.stat(dropIn));
  });
});

test("service: a directory of registry hosts that the settings name is restored, too", async (t) => {
  const settings: Record<string, (certs: string, root: string) => Promise<string>> = {
    "in the environment file": (certs) =>
      Promise.resolve(`CONTAINERD_REGISTRY_CONFIG_PATH="${certs}"\n`),
    "beside a setting that is wrong": (certs) =>
      Promise.resolve(`LOG_LEVEL=loud\nCONTAINERD_REGISTRY_CONFIG_PATH=${certs}\n`),
    "in a file that it names": async (certs, root) => {
      const file = join(root, "eddy.yaml");
      await Deno.writeTextFile(file, `containerd-registry-config-path: ${certs}\n`);
      return `EDDY_CONFIG=${file}\n`;
    },
  };
  for (const [name, write] of Object.entries(settings)) {
    await t.step(name, async () => {
      await withNode(async (fake) => {
        const certs = join(fake.root, "srv/certs.d");
        await Deno.mkdir(join(certs, "quay.io"), { recursive: true });
        await Deno.writeTextFile(join(certs, "quay.io/hosts.toml"), USER_HOSTS);
        const before = await readTree(certs);
        await fake.install();
        await Deno.writeTextFile(fake.node.paths.environment, await write(certs, fake.root));
        await configure({ fileSystem: denoFileSystem }, optionsFor(certs));
        await fake.uninstall();
        assert.deepEqual(await readTree(certs), before);
      });
    });
  }
});

test("service: a start that fails is told, and the next install tries again", async () => {
  await withNode(async (fake) => {
    fake.startFails = true;
    await assert.rejects(fake.install(), /it failed/);
    fake.startFails = false;
    fake.failed = true;
    assert.equal(await fake.install(), "run systemctl start eddy.service\n");
    await fake.uninstall();
    assert.equal(fake.ran.at(-1), "reset-failed eddy.service");
  });
});

test("service: where it cannot be installed that is one line", async () => {
  await withNode(async ({ node, root }) => {
    const refused = { name: "ConfigError" };
    await assert.rejects(checkServiceNode(node, "install"), {
      ...refused,
      message: /^install: no systemd runs here/,
    });
    await Deno.mkdir(join(root, "run/systemd/system"), { recursive: true });
    await checkServiceNode(node, "install");
    await assert.rejects(checkServiceNode({ ...node, uid: 1000 }, "uninstall"), {
      ...refused,
      message: /^uninstall: got user id 1000, want root/,
    });
    await assert.rejects(planInstall({ ...node, executable: undefined }), {
      ...refused,
      message: /^install: this is Eddy's source, want the binary/,
    });
  });
});

test("service: a dry run says the same and changes nothing", async () => {
  await withNode(async (fake) => {
    const before = await readTree(fake.root);
    const steps = await planInstall(fake.node);
    let said = "";
    await takeSteps(steps, { stdout: (text) => void (said += text) }, true);
    assert.equal(said, steps.map(({ says }) => `would ${says}\n`).join(""));
    assert.deepEqual(await readTree(fake.root), before);
    assert.deepEqual(fake.ran, []);
  });
});
