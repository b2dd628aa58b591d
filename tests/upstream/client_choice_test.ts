import assert from "node:assert/strict";
import { ClientChoice } from "../../lib/upstream/client_choice.ts";
import { defaultEndpoint } from "../../lib/upstream/endpoint.ts";
import type { EndpointAnswer } from "../../lib/upstream/endpoint_answer.ts";
import { test } from "../support/test.ts";

const pair = (name: string) => ({ certificate: name, key: name });
const ENDPOINT = {
  ...defaultEndpoint("r.example"),
  client: pair("a"),
  otherClients: [pair("b"), pair("c")],
};
const DENIED: EndpointAnswer = { type: "denied" };

/** A server that answers to these certificates; others end in the error. */
function lab(answers: Record<string, EndpointAnswer>, error: Error) {
  const asked: string[] = [];
  const choice = new ClientChoice();
  const ask = (endpoint = ENDPOINT as Parameters<ClientChoice["use"]>[0]) =>
    choice.use(endpoint, ({ client }) => {
      const name = client?.certificate ?? "none";
      asked.push(name);
      const answer = answers[name];
      return answer === undefined ? Promise.reject(error) : Promise.resolve(answer);
    });
  return { asked, ask };
}

test("client certificates: the one that the server accepts is found, and used from then on", async () => {
  const alert = new Error("received fatal alert: UnknownCA");
  const { asked, ask } = lab({ b: { type: "rejected" }, c: DENIED }, alert);
  assert.deepEqual(await ask(), DENIED);
  assert.deepEqual(await ask(), DENIED);
  assert.deepEqual(asked, ["a", "b", "c", "c"]);
});

test("client certificates: if none is accepted, the last one's failure is told", async () => {
  const alert = new Error("received fatal alert: CertificateRequired");
  const { asked, ask } = lab({}, alert);
  await assert.rejects(ask(), alert);
  assert.deepEqual(asked, ["a", "b", "c"]);
  const rejected = lab({ c: { type: "rejected" } }, alert);
  assert.deepEqual(await rejected.ask(), { type: "rejected" });
});

test("client certificates: a server that is away is not asked again with another", async () => {
  const { asked, ask } = lab({}, new Error("connection refused"));
  await assert.rejects(ask(), /refused/);
  assert.deepEqual(asked, ["a"]);
  await assert.rejects(ask({ ...defaultEndpoint("s.example"), client: pair("d") }), /refused/);
  assert.deepEqual(asked, ["a", "d"]);
});
