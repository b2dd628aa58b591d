import assert from "node:assert/strict";
import fc from "fast-check";
import {
  dockerCredentials,
  findCredentials,
  registriesCredentials,
} from "../../lib/oci/node_credentials.ts";
import { test } from "../support/test.ts";

const USER = { username: "user", password: "pass:word" };
const AUTH = btoa("user:pass:word");

/** `registry/prefix user password` of what can be used. */
function usable({ usable }: ReturnType<typeof dockerCredentials>): string[] {
  return usable.map(({ registry, prefix, credentials: { username, password, identityToken } }) =>
    identityToken === undefined
      ? `${registry}/${prefix} ${username} ${password}`
      : `${registry}/${prefix} token ${identityToken}`
  );
}

test("Docker's config.json: credentials by registry", () => {
  const cases: [file: unknown, usable: string[], unusable?: string[]][] = [
    [{ auths: { "ghcr.io": { auth: AUTH } } }, ["ghcr.io/ user pass:word"]],
    [{ auths: { "ghcr.io": USER } }, ["ghcr.io/ user pass:word"]],
    // As Docker has it, `username` and `password` go before `auth`.
    [{ auths: { "ghcr.io": { ...USER, auth: btoa("a:b") } } }, ["ghcr.io/ user pass:word"]],
    [{ auths: { "https://index.docker.io/v1/": { auth: AUTH } } }, ["docker.io/ user pass:word"]],
    [{ auths: { "registry-1.docker.io": { auth: AUTH } } }, ["docker.io/ user pass:word"]],
    [{ auths: { "http://R.example:5000/v2": { auth: AUTH } } }, [
      "r.example:5000/ user pass:word",
    ]],
    [{ auths: { "r.example/team/app": { auth: AUTH } } }, ["r.example/team/app user pass:word"]],
    // Left to a helper, which is not run.
    [{ auths: { "ghcr.io": {} }, credsStore: "desktop", credHelpers: { "gcr.io": "gcloud" } }, []],
    // A token goes before what is kept beside it for the sake of form.
    [{ auths: { "acr.example": { auth: AUTH, identitytoken: "t" } } }, ["acr.example/ token t"]],
    [{ auths: { "ghcr.io": { auth: "%%%" } } }, [], ["ghcr.io"]],
    [{ auths: { "ghcr.io": { auth: btoa("no colon") } } }, [], ["ghcr.io"]],
    [{ auths: { "ghcr.io": { auth: 7 } } }, [], ["ghcr.io"]],
    [{ auths: { "*.example": { auth: AUTH } } }, [], ["?"]],
    [{ auths: { "https://user:secret@r.example": { auth: AUTH } } }, [], ["?"]],
    [{ auths: { "ghcr.io": "text" } }, []],
    [{ auths: {} }, []],
    [{}, []],
    [null, []],
  ];
  for (const [file, want, unusableWant = []] of cases) {
    const found = dockerCredentials(file);
    assert.deepEqual(usable(found), want, JSON.stringify(file));
    assert.deepEqual(found.unusable, unusableWant, JSON.stringify(file));
  }
});

test("registries.yaml: credentials by registry", () => {
  const cases: [file: unknown, usable: string[], unusable?: string[]][] = [
    [{ configs: { "r.example:5000": { auth: USER } } }, ["r.example:5000/ user pass:word"]],
    [{ configs: { "r.example": { auth: { auth: AUTH } } } }, ["r.example/ user pass:word"]],
    [{ configs: { "registry-1.docker.io": { auth: USER } } }, ["docker.io/ user pass:word"]],
    [{ configs: { "r.example": { auth: { token: "t" } } } }, [], ["r.example"]],
    [{ configs: { "r.example": { auth: { identity_token: "t" } } } }, ["r.example/ token t"]],
    [{ configs: { "r.example": { tls: { ca_file: "/ca.pem" } } } }, []],
    [{ mirrors: { "docker.io": { endpoint: ["https://r.example"] } } }, []],
    [null, []],
  ];
  for (const [file, want, unusableWant = []] of cases) {
    const found = registriesCredentials(file);
    assert.deepEqual(usable(found), want, JSON.stringify(file));
    assert.deepEqual(found.unusable, unusableWant, JSON.stringify(file));
  }
});

test("files that are none are refused, and no file breaks the reader", () => {
  const many = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`r${index}`, {}]));
  for (const file of [7, "text", [], { auths: [] }, { auths: "x" }, { auths: many }]) {
    assert.throws(() => dockerCredentials(file), TypeError);
  }
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (entries) => {
    dockerCredentials({ auths: entries });
    registriesCredentials({ configs: entries });
  }));
});

test("the longest prefix decides, in whole parts of names", () => {
  const { usable } = dockerCredentials({
    auths: {
      "r.example": { auth: btoa("all:1") },
      "r.example/team": { auth: btoa("team:2") },
      "r.example/team/app": { auth: btoa("app:3") },
      "index.docker.io": { auth: btoa("hub:4") },
    },
  });
  const cases: [registry: string, repository: string, user: string | undefined][] = [
    ["r.example", "other", "all"],
    ["r.example", "teams/app", "all"],
    ["r.example", "team", "team"],
    ["r.example", "team/apps", "team"],
    ["r.example", "team/app", "app"],
    ["r.example", "team/app/more", "app"],
    ["docker.io", "library/nginx", "hub"],
    ["r.example:443", "team", undefined],
    ["evil.r.example", "team", undefined],
  ];
  for (const [registry, repository, user] of cases) {
    const found = findCredentials(usable, { registry, repository, tag: "v1" });
    assert.equal(found?.username, user, `${registry}/${repository}`);
  }
});
