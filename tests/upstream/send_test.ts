import assert from "node:assert/strict";
import { createSender } from "../../lib/upstream/send.ts";
import { test } from "../support/test.ts";

test("a name server that does not answer holds nobody longer than the signal allows", async () => {
  const stop = new AbortController();
  using sender = createSender({
    resolve: () => {
      stop.abort(new Error("time is up"));
      return new Promise(() => {});
    },
  });
  await assert.rejects(
    () =>
      sender.send({
        method: "GET",
        url: new URL("https://token.example/"),
        headers: {},
        caCertificates: [],
        trustedHosts: new Set(),
        signal: stop.signal,
      }),
    /time is up/,
  );
});
