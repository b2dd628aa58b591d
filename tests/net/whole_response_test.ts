import assert from "node:assert/strict";
import { WholeResponse } from "../../lib/net/http/whole_response.ts";
import { test } from "../support/test.ts";

const HEADERS = { "content-type": "application/json", "X-B": "1" };

test("whole response: whoever looks sees what the runtime's own response shows", async () => {
  const views: Record<string, (response: Response) => unknown> = {
    status: ({ status }) => status,
    ok: ({ ok }) => ok,
    statusText: ({ statusText }) => statusText,
    headers: ({ headers }) => [...headers],
    body: ({ body }) => body === null,
    bodyUsed: ({ bodyUsed }) => bodyUsed,
    arrayBuffer: async (response) => new Uint8Array(await response.arrayBuffer()),
    bytes: (response) => response.bytes(),
    json: (response) => response.json().catch((error) => error.name),
    text: (response) => response.text(),
    "the same without its body": async (response) => {
      const { status, headers } = new Response(null, response);
      await response.body?.cancel();
      return [status, ...headers];
    },
    class: (response) => response instanceof Response,
  };
  for (const body of ['{"a":"\u00fc"}', new TextEncoder().encode("[1]"), null]) {
    for (const status of [200, 404]) {
      for (const [name, view] of Object.entries(views)) {
        const init = { status, headers: HEADERS };
        const [whole, own] = [new WholeResponse(body, init), new Response(body, init)];
        assert.deepEqual(await view(whole), await view(own), `${name} of ${status}, ${body}`);
      }
    }
  }
});
