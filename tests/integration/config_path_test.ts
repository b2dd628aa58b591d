import assert from "node:assert/strict";
import { join } from "node:path";
import { MirrorUse } from "../../lib/agent/mirror_use.ts";
import { inspectContainerd } from "../../lib/agent/preflight.ts";
import { configure } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";
import { ContainerdClient } from "../../lib/store/containerd/client.ts";
import { methods } from "../../lib/store/containerd/methods.ts";
import { probeContainerd } from "../../lib/store/containerd/probe_containerd.ts";
import { CriImages } from "../e2e/lab/cri_images.ts";
import { FakeClock } from "../fakes/clock.ts";
import { MemoryLog } from "../fakes/log.ts";
import { eventually } from "../support/eventually.ts";
import {
  type ContainerdBinaries,
  type ContainerdSettings,
  RealContainerd,
  testEachContainerd,
} from "./real_containerd.ts";
import {
  type RecordedRequest,
  type RecorderHandler,
  RegistryRecorder,
  tinyImage,
} from "./registry_recorder.ts";

/** Settings of containerd, and whether kubelet's pulls then ask Eddy. */
interface Case {
  readonly name: string;
  readonly settings: (certs: string, other: string) => ContainerdSettings;
  readonly localImagePull?: boolean;
  readonly asked: (major: 1 | 2) => boolean;
}

const CASES: readonly Case[] = [
  {
    name: "one directory",
    settings: (certs) => ({ configPath: certs }),
    asked: () => true,
  },
  {
    name: "another directory",
    settings: (_, other) => ({ configPath: other }),
    asked: () => false,
  },
  {
    // If this fails with a newer containerd, that has been mended there: the check can be narrowed.
    name: "two directories, as containerd 2.2 and newer have by default",
    settings: (certs, other) => ({ configPath: `${certs}:${other}` }),
    asked: (major) => major === 1,
  },
  {
    name: "two directories and use_local_image_pull",
    settings: (certs, other) => ({
      configPath: `${certs}:${other}`,
      images: ["use_local_image_pull = true"],
    }),
    localImagePull: true,
    asked: () => true,
  },
];

async function suite(t: Deno.TestContext, binaries: ContainerdBinaries): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-config-path-" });
  const containerd = new RealContainerd(directory, binaries);
  try {
    for (const each of CASES) {
      // containerd 1.x refuses what it does not know.
      if (each.localImagePull && binaries.major === 1) continue;
      await t.step(each.name, () => runCase(each, containerd, directory, binaries.major));
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function runCase(
  { settings, localImagePull, asked, name }: Case,
  containerd: RealContainerd,
  directory: string,
  major: 1 | 2,
): Promise<void> {
  const requests: RecordedRequest[] = [];
  const image = tinyImage("library/app", name);
  const log = new MemoryLog();
  const use = tryingUse(containerd, log);
  await using eddy = new RegistryRecorder("eddy", requests, new Map(), undefined, use.intercept);
  await using upstream = new RegistryRecorder("upstream", requests, image.contents);
  await configure({ fileSystem: denoFileSystem }, {
    configPath: containerd.certsPath,
    mirroredRegistries: [],
    mirrorTargets: [eddy.url],
    resolveTags: true,
  });
  await containerd.start(settings(containerd.certsPath, join(directory, "other")));
  try {
    using images = new CriImages(containerd.socketPath);
    // What is pulled cannot be unpacked: it matters who was asked for it.
    await images.pull(`${upstream.host}/library/app:1`).catch(() => {});
    assert.ok(requests.length > 0, "nobody was asked at all");
    assert.equal(requests.some(({ at }) => at === "eddy"), asked(major));
    assert.equal(await checkedState(containerd, localImagePull), asked(major) ? "ok" : "failed");
    // Nobody tells the agent of use_local_image_pull: it tries.
    assert.equal(await use.find(eddy.url), asked(major), log.lines.map(String).join("\n"));
  } finally {
    await containerd.stop();
  }
}

/** What an agent does to find out whether containerd asks it. */
function tryingUse({ socketPath }: RealContainerd, log: MemoryLog) {
  let use: MirrorUse | undefined;
  return {
    intercept: (handle: RecorderHandler): RecorderHandler => (request) =>
      use === undefined ? handle(request) : use.intercept(handle)(request, undefined),
    async find(target: string): Promise<boolean | undefined> {
      const client = new ContainerdClient(socketPath, { namespace: "k8s.io" });
      const stop = new AbortController();
      const pull = (image: string, limit: Cancellable) =>
        client.call(methods.pullImage, { image: { image } }, limit);
      use = new MirrorUse({ clock: new FakeClock(), log, pull }, {
        targets: [target],
        doubt: "several directories",
      });
      const run = use.run(stop).catch(() => {});
      await eventually("it has been tried", () => log.lines.some(({ level }) => level !== "debug"));
      stop.abort();
      await run;
      client.close();
      return use.asked;
    },
  };
}

/** What the doctor says about `config_path`. */
async function checkedState(containerd: RealContainerd, localImagePull?: boolean) {
  const client = new ContainerdClient(containerd.socketPath, { namespace: "k8s.io" });
  try {
    const probe = await probeContainerd(client, { signal: new AbortController().signal });
    assert.ok(probe.reachable);
    const checks = inspectContainerd(probe, {
      registryConfigPath: containerd.certsPath,
      contentPathGiven: false,
      localImagePull,
      strict: true,
    });
    return checks.find(({ name }) => name === "config_path")?.state;
  } finally {
    client.close();
  }
}

await testEachContainerd(
  (major) => `config_path: whom containerd ${major}.x asks, and what is said about it`,
  suite,
  (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false }),
);
