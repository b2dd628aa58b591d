import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { tempDirectory } from "../support/temp_directory.ts";
import { test } from "../support/test.ts";

const SCRIPT = new URL("../../deploy/install.sh", import.meta.url).pathname;
const NAME = `eddy-linux-${Deno.build.arch === "aarch64" ? "arm64" : "amd64"}`;
const PROGRAM = "#!/bin/sh\necho hello\n";
const SUM = createHash("sha256").update(PROGRAM).digest("hex");
const SUMS = `${"0".repeat(64)}  another\n${SUM}  ${NAME}\n`;
const FILES = { [NAME]: PROGRAM, SHA256SUMS: SUMS, "SHA256SUMS.sigstore.json": "{}" };

interface Run {
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** What a `cosign` in the PATH does; undefined: there is none. */
  readonly cosign?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the script against a server of releases. */
async function run({ args = [], files = FILES, cosign, env = {} }: Run) {
  await using directory = await tempDirectory();
  const abort = new AbortController();
  const asked: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: abort.signal },
    ({ url }) => {
      const { pathname } = new URL(url);
      asked.push(pathname);
      const content = files[pathname.slice(pathname.lastIndexOf("/") + 1)];
      return new Response(content ?? "", { status: content === undefined ? 404 : 200 });
    },
  );
  const bin = `${directory.path}/bin`;
  await Deno.mkdir(bin);
  if (cosign !== undefined) {
    await Deno.writeTextFile(`${bin}/cosign`, `#!/bin/sh\necho "$@" >&2\n${cosign}\n`);
    await Deno.chmod(`${bin}/cosign`, 0o755);
  }
  const target = `${directory.path}/to`;
  const { code, stderr } = await new Deno.Command("sh", {
    args: [SCRIPT, ...args],
    clearEnv: true,
    env: {
      PATH: `${bin}:/usr/bin:/bin`,
      TMPDIR: directory.path,
      EDDY_INSTALL_TO: target,
      EDDY_REPOSITORY: `http://127.0.0.1:${server.addr.port}/team/eddy`,
      ...env,
    },
  }).output();
  const installed = await Deno.readTextFile(`${target}/eddy`).catch(() => undefined);
  const left = (await Array.fromAsync(Deno.readDir(directory.path))).map(({ name }) => name);
  abort.abort();
  await server.finished;
  return {
    ...{ code, installed, asked, left: left.filter((name) => !["bin", "to"].includes(name)) },
    stderr: new TextDecoder().decode(stderr),
  };
}

const REFUSED: Record<string, [Run, RegExp]> = {
  "bytes that are not the released ones": [
    { files: { ...FILES, [NAME]: `${PROGRAM}rm -rf /\n` } },
    /eddy-linux-\w+ is not what SHA256SUMS says/,
  ],
  "sums that do not name it": [
    { files: { ...FILES, SHA256SUMS: SUMS.replace(NAME, `${NAME}.old`) } },
    /SHA256SUMS does not name eddy-linux/,
  ],
  "a file that is not there": [
    { files: { SHA256SUMS: SUMS } },
    /cannot download http:.*\/releases\/latest\/download\/eddy-linux/,
  ],
  "a signature that cosign refuses": [
    { cosign: "exit 1" },
    /SHA256SUMS is not signed by the release workflow of http:/,
  ],
  "no cosign where a signature is required": [
    { env: { EDDY_REQUIRE_SIGNATURE: "1" } },
    /cosign is not installed/,
  ],
  "a repository that is reached in the clear": [
    { env: { EDDY_REPOSITORY: "http://git.example/team/eddy" } },
    /EDDY_REPOSITORY: got "http:.*", want a URL that begins with https/,
  ],
  "a script that no release has": [
    { env: { EDDY_REPOSITORY: "" } },
    /EDDY_REPOSITORY: got "@REPOSITORY@"/,
  ],
  "a version that is none": [
    { args: ["--help"] },
    /VERSION: got "--help", want one such as 1\.2\.3/,
  ],
};

for (const [name, [given, message]] of Object.entries(REFUSED)) {
  test(`install.sh refuses ${name}`, async () => {
    const { code, stderr, installed, left } = await run(given);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.equal(installed, undefined);
    assert.deepEqual(left, [], "nothing is left behind");
  });
}

test("install.sh: the verified executable, by its checksum, and by cosign where there is one", async () => {
  const plain = await run({});
  assert.deepEqual([plain.code, plain.installed, plain.left], [0, PROGRAM, []]);
  assert.match(plain.stderr, /the checksum is verified, the signature is not/);
  assert(plain.asked.every((path) => path.startsWith("/team/eddy/releases/latest/download/")));
  const signed = await run({ cosign: "exit 0", args: ["1.2.3"] });
  assert.equal(signed.installed, PROGRAM);
  assert.match(signed.stderr, /^verify-blob .*release\\\.yaml@refs\/tags\/v .*\/SHA256SUMS$/m);
  assert(signed.asked.every((path) => path.startsWith("/team/eddy/releases/download/v1.2.3/")));
});

test("a finished release: install.sh is for its repository, and all files have their checksum", async () => {
  await using directory = await tempDirectory();
  const [bin, out] = [`${directory.path}/bin`, `${directory.path}/out`];
  for (const path of [bin, out]) await Deno.mkdir(path);
  await Deno.writeTextFile(`${out}/${NAME}`, PROGRAM);
  await Deno.writeTextFile(`${out}/eddy-1.2.3.tgz`, "chart");
  await Deno.writeTextFile(`${bin}/cosign`, '#!/bin/sh\nshift 3\necho "{}" >"$1"\n');
  await Deno.chmod(`${bin}/cosign`, 0o755);
  const repository = "https://git.example/team/eddy";
  const finish = new Deno.Command(
    new URL("../../deploy/finish_release", import.meta.url).pathname,
    {
      ...{ args: [out, repository], clearEnv: true, env: { PATH: `${bin}:/usr/bin:/bin` } },
    },
  );
  const { success, stderr } = await finish.output();
  assert(success, new TextDecoder().decode(stderr));
  const script = await Deno.readTextFile(`${out}/install.sh`);
  assert(script.includes(`:-${repository}}`) && !script.includes("@REPOSITORY@"));
  const sums = (await Deno.readTextFile(`${out}/SHA256SUMS`)).trim().split("\n");
  assert.deepEqual(sums.map((line) => line.slice(66)), ["eddy-1.2.3.tgz", NAME, "install.sh"]);
  assert.equal(sums[1]?.slice(0, 64), SUM);
  assert.equal(await Deno.readTextFile(`${out}/SHA256SUMS.sigstore.json`), "{}\n");
});
