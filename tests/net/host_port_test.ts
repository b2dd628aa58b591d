import assert from "node:assert/strict";
import { formatHostPort, localUrl, withoutBrackets } from "../../lib/net/host_port.ts";
import { test } from "../support/test.ts";

const FORMS: readonly (readonly [host: string, written: string, url: string])[] = [
  ["10.0.0.1", "10.0.0.1:5000", "http://10.0.0.1:5000"],
  ["2001:db8::1", "[2001:db8::1]:5000", "http://[2001:db8::1]:5000"],
  ["node-1", "node-1:5000", "http://node-1:5000"],
  ["0.0.0.0", "0.0.0.0:5000", "http://127.0.0.1:5000"],
  ["::", "[::]:5000", "http://127.0.0.1:5000"],
  ["", ":5000", "http://127.0.0.1:5000"],
];

test("host and port: as they are written, and on this machine", () => {
  for (const [host, written, url] of FORMS) {
    assert.equal(formatHostPort(host, 5000), written);
    assert.equal(withoutBrackets(written.replace(/:5000$/, "")), host);
    assert.equal(localUrl({ host, port: 5000 }), url);
  }
});
