import assert from "node:assert/strict";
import { basicAuthorization } from "../../lib/oci/basic_auth.ts";
import type { Access } from "../../lib/ports/access.ts";
import { configure } from "../../lib/configurator/configure.ts";
import { denoFileSystem } from "../../lib/configurator/deno_file_system.ts";
import { CriImages } from "../e2e/lab/cri_images.ts";
import { setup } from "../registry/setup.ts";
import { tempDirectory } from "../support/temp_directory.ts";
import { type ContainerdBinaries, RealContainerd, testEachContainerd } from "./real_containerd.ts";

const WRONG = { username: "user", password: "wrong" };

/** Upstream refuses everybody, whatever the secret. */
const ACCESS: Access = {
  admit: () => Promise.resolve({ type: "challenge" }),
  isLocalClient: () => true,
  admitPeer: () => "open",
  admitNames: () => "open",
  learn: () => {},
};

/** What an upstream registry says to whoever has no token, by its kind. */
const CHALLENGES = {
  "a token server": (url: string) => `Bearer realm="${url}/token",service="registry"`,
  "Basic": () => 'Basic realm="registry"',
} as const;

type Handler = (request: Request) => Response | Promise<Response>;

/** A server on loopback; use with `await using`. */
function serve(handler: Handler) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const host = `127.0.0.1:${server.addr.port}`;
  return { host, url: `http://${host}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function suite(t: Deno.TestContext, binaries: ContainerdBinaries): Promise<void> {
  await using directory = await tempDirectory();
  const containerd = new RealContainerd(directory.path, binaries);
  const shown: string[] = [];
  const mirror = setup({}, { access: ACCESS });
  await using eddy = serve((request) => {
    const { headers } = request;
    if (headers.has("authorization")) shown.push(headers.get("authorization") ?? "");
    return mirror.app.fetch(request);
  });
  await configure({ fileSystem: denoFileSystem }, {
    configPath: containerd.certsPath,
    mirroredRegistries: [],
    mirrorTargets: [eddy.url],
    resolveTags: true,
  });
  await containerd.start();
  try {
    using images = new CriImages(containerd.socketPath);
    for (const [kind, challengeOf] of Object.entries(CHALLENGES)) {
      await t.step(`upstream with ${kind}: the message is about upstream`, async () => {
        shown.length = 0;
        await using upstream = serve(({ url }) => {
          const base = new URL(url).origin;
          const headers = { "www-authenticate": challengeOf(base) };
          return new Response(null, {
            status: 401,
            ...(url.includes("/token") ? {} : { headers }),
          });
        });
        const reference = `${upstream.host}/team/app:1`;
        await assert.rejects(images.pull(reference, { auth: WRONG }), (error) => {
          const message = String(error);
          assert(!message.includes(eddy.host), message);
          assert.match(message, /refuses these credentials for team\/app|401 Unauthorized/);
          assert(message.split(reference).join("").includes(upstream.host), message);
          return true;
        });
        assert(shown.length > 0, "the mirror has seen the secret");
        const { username, password } = WRONG;
        assert.deepEqual(new Set(shown), new Set([basicAuthorization(username, password)]));
        // Without a secret containerd 1.x shows the first refusal, which is the mirror's.
        if (binaries.major === 1) return;
        await assert.rejects(images.pull(reference), (error) => {
          assert(!String(error).includes(eddy.host), String(error));
          return true;
        });
      });
    }
  } finally {
    await containerd.stop();
  }
}

await testEachContainerd(
  (major) => `containerd ${major}.x: what the user reads of a wrong pull secret`,
  suite,
  (name, fn) => Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false }),
);
