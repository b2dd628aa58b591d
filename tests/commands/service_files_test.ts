import assert from "node:assert/strict";
import { join } from "node:path";
import { SERVICE_ENVIRONMENT, SERVICE_UNIT } from "../../lib/commands/service/service_files.ts";
import { parseEnvironmentFile } from "../../lib/commands/service/environment_file.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { OPTION_ROWS } from "../../lib/config/options.ts";
import { test } from "../support/test.ts";

const deployed = (name: string) => new URL(`../../deploy/systemd/${name}`, import.meta.url);

test("service: what the program installs is what deploy/systemd shows", async () => {
  assert.equal(await Deno.readTextFile(deployed("eddy.service")), SERVICE_UNIT);
  assert.equal(await Deno.readTextFile(deployed("eddy.env")), SERVICE_ENVIRONMENT);
});

test("service: each setting that the environment file shows is an option with a good value", () => {
  const uncommented = SERVICE_ENVIRONMENT.replace(/^#(?=[A-Z_]+=)/gm, "");
  const env = Object.fromEntries(parseEnvironmentFile(uncommented));
  const names = Object.keys(env);
  assert.ok(names.length >= 8, names.join(" "));
  for (const name of names) assert.ok(OPTION_ROWS.some((row) => row.env === name), name);
  const readFile = () => assert.fail("there is no file");
  parseConfig({ command: "agent", args: [], env, readFile });
  assert.equal(parseEnvironmentFile(SERVICE_ENVIRONMENT).size, 0, "nothing is set at first");
});

test("service: so are the settings for k3s", async () => {
  const text = await Deno.readTextFile(new URL("../k3s/eddy.env", deployed("")));
  const env = Object.fromEntries(parseEnvironmentFile(text));
  const readFile = () => assert.fail("there is no file");
  const config = parseConfig({ command: "agent", args: [], env, readFile });
  assert.equal(config.bootstrapKind, "static");
  assert.equal(config.staticBootstrapPeers.length, 2);
});

const hasSystemd = await new Deno.Command("systemd-analyze", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

if (hasSystemd || Deno.env.get("CI") === "true") {
  test("service: systemd-analyze finds nothing wrong with the unit", async () => {
    assert.ok(hasSystemd, "in CI nothing may be left out: systemd-analyze is missing");
    const directory = await Deno.makeTempDir({ prefix: "eddy-unit-" });
    try {
      // Only the program is another, since this machine need not have Eddy installed.
      const file = join(directory, "eddy.service");
      const unit = SERVICE_UNIT.replace("/usr/local/bin/eddy", Deno.execPath());
      await Deno.writeTextFile(file, unit);
      assert.deepEqual(await analyze("verify", "--man=no", file), { code: 0, said: "" });
      const dropIn = "eddy.service.d/data-dir.conf";
      await Deno.mkdir(join(directory, "eddy.service.d"));
      await Deno.copyFile(new URL(`../k3s/${dropIn}`, deployed("")), join(directory, dropIn));
      assert.deepEqual(await analyze("verify", "--man=no", file), { code: 0, said: "" });
      // In tenths; it rises when a restriction is lost. What is left: it has to talk to the network
      // and to be root, and V8 needs writable code.
      const security = ["security", "--no-pager", "--offline=true", "--threshold=25", file];
      const { code, said } = await analyze(...security);
      assert.equal(code, 0, said);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
} else {
  Deno.test.ignore("service: the unit (left out: no systemd-analyze)", () => {});
}

async function analyze(...args: string[]): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", { args }).output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stderr) + decoder.decode(stdout) };
}
