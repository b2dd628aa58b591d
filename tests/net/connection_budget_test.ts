import assert from "node:assert/strict";
import { ConnectionBudget } from "../../lib/net/connection_budget.ts";
import { OpenFiles } from "../../lib/net/open_files.ts";
import { test } from "../support/test.ts";

test("connection budget: whoever keeps all places of blobs keeps none of probes", () => {
  for (const files of [16, 150, 1000]) {
    const budget = new ConnectionBudget(undefined, new OpenFiles((most) => Math.min(most, files)));
    const busy = { idleSince: undefined, close: () => {} };
    const admit = (address: string) => budget.http.admit({ ...busy }, address);
    while (admit("127.0.0.1"));
    for (let node = 0; node < 255; node++) while (admit(`10.0.0.${node}`));
    let since = 0;
    // Many come, ask and stay, from one address and from several.
    for (const address of ["127.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "::1"]) {
      for (let asked = 0; asked < 100; asked++) {
        const idle = { idleSince: since++, close: () => {} };
        assert.ok(budget.pages.http.admit(idle, address), `${files} files, ${address}`);
      }
    }
    assert.ok(
      budget.pages.http.size + budget.http.size + budget.router.size <= Math.max(files, 40),
    );
  }
});
