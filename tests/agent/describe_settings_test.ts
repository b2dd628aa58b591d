import assert from "node:assert/strict";
import { describeSettings } from "../../lib/agent/debug_pages.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { test } from "../support/test.ts";

test("settings: users and passwords in URLs are masked, options of other commands left out", () => {
  const config = parseConfig({
    command: "agent",
    args: [
      ...["--http-bootstrap-url", "http://user:pass@10.0.0.1/id"],
      ...["--additional-mirror-registries", "http://a", "{url: http://b, header: {x-key: hush}}"],
    ],
    env: {},
    readFile: () => "",
  });
  const settings = new Map(describeSettings(config).map(({ flag, value }) => [flag, value]));
  assert.equal(settings.get("http-bootstrap-url"), "http://[masked]@10.0.0.1/id");
  assert.equal(settings.get("registry-addr"), ":5000");
  assert.equal(settings.get("additional-mirror-registries"), "http://a http://b, header: x-key");
  assert.equal(settings.get("keep"), undefined);
});
