import assert from "node:assert/strict";
import type { AgentClient, AgentReply } from "../../lib/commands/doctor/agent_client.ts";
import { checkImages } from "../../lib/commands/doctor/image_checks.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { sampleImage } from "../store/sample_image.ts";
import { test } from "../support/test.ts";

const NAME = "docker.io/library/app:1";
const { manifest, config, layers } = sampleImage("app", (content) => digestOf(content));

/** An agent that serves the image's content by tag and digest. */
function agent(): AgentClient {
  const registry = (url: string): Promise<AgentReply> => {
    const content = [config, ...layers].find((each) => url.includes(digestOf(each))) ?? manifest;
    const headers = new Headers({ "docker-content-digest": digestOf(content) });
    const body = new TextEncoder().encode(content);
    return Promise.resolve({ status: 200, error: "", headers, body });
  };
  return { targets: ["http://127.0.0.1:5000"], registry } as unknown as AgentClient;
}

for (
  const { name, held, state, fix } of [
    { name: "all layers are here", held: layers, state: "ok", fix: /^$/ },
    {
      name: "a layer is missing: its causes are named",
      held: layers.slice(1),
      state: "warning",
      fix:
        /\(discard_unpacked_layers\) before a lease kept them.* as their snapshots were there already/,
    },
  ]
) {
  test(`doctor: images: ${name}`, async () => {
    const digests = [manifest, config, ...held].map((content) => digestOf(content));
    const checks = await checkImages(agent(), [{ image: NAME, tags: [NAME], digests }], "k8s.io");
    const whole = checks.find((check) => check.name === "images are whole");
    assert.equal(whole?.state, state, JSON.stringify(checks));
    assert.match(whole?.fix ?? "", fix);
  });
}

test("doctor: images without a registry in their name are named, though there be no others", async () => {
  const digests = [manifest, config, ...layers].map((content) => digestOf(content));
  const good = { image: NAME, tags: [NAME], digests };
  for (const image of ["v1", "plainname:1", "library/app:1"]) {
    for (const others of [[], [good]]) {
      for (const namespace of [undefined, "k8s.io"]) {
        const content = [...others, { image, tags: [], digests }];
        const checks = await checkImages(agent(), content, namespace);
        const names = checks.find(({ name }) => name === "names of images");
        assert.equal(names?.state, "warning", image);
        assert.match(
          names?.detail ?? "",
          new RegExp(`^1 images .*without a registry, such as ${image}:`),
        );
        const canary = checks.find(({ name }) => name === "canary pull");
        assert.equal(canary?.state, others.length === 0 ? "skipped" : "ok");
      }
    }
  }
  const checks = await checkImages(agent(), [good], "k8s.io");
  assert.ok(!checks.some(({ name }) => name === "names of images"));
});
