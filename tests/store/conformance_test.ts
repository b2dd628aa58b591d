import { test } from "../support/test.ts";
import { storeCases, type StoreFixture, watcherCases, type WatcherFixture } from "./conformance.ts";
import { containerdFixture, memoryFixture, ociLayoutFixture } from "./fixtures.ts";

const stores: Record<string, () => Promise<StoreFixture>> = {
  "memory store": memoryFixture,
  "image layout": ociLayoutFixture,
  "containerd, by files": () => containerdFixture(),
  "containerd, by the content service": () => containerdFixture({ files: false }),
};

const watchers: Record<string, () => Promise<WatcherFixture>> = {
  "image layout": ociLayoutFixture,
  "containerd 2.x": () => containerdFixture(),
  "containerd 2.x without files": () => containerdFixture({ files: false }),
};

for (const [adapter, make] of Object.entries(stores)) {
  for (const { name, run } of storeCases) {
    test(`store: ${adapter} ${name}`, async () => {
      await using fixture = await make();
      await run(fixture);
    });
  }
}

for (const [adapter, make] of Object.entries(watchers)) {
  for (const { name, run } of watcherCases) {
    test(`watcher: ${adapter} ${name}`, async () => {
      await using fixture = await make();
      await run(fixture);
    });
  }
}
