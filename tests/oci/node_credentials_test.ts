import assert from "node:assert/strict";
import fc from "fast-check";
import {
  dockerCredentials,
  findCredentials,
  findServerCredentials,
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

test("registries.yaml: credentials by server, as k3s and containerd read them", () => {
  const cases: [configs: unknown, usable: string[], unusable?: string[]][] = [
    [{ "r.example:5000": { auth: USER } }, ["r.example:5000/ user pass:word"]],
    [{ "r.example": { auth: { auth: AUTH } } }, ["r.example/ user pass:word"]],
    [{ "registry-1.docker.io": { auth: USER } }, ["docker.io/ user pass:word"]],
    [{ "r.example": { auth: { ...USER, identity_token: "t" } } }, ["r.example/ user pass:word"]],
    [{ "r.example": { auth: { auth: AUTH, identity_token: "t" } } }, ["r.example/ token t"]],
    [{ "r.example": { auth: { token: "t" } } }, [], ["r.example"]],
    // containerd then asks anonymously.
    [{ "r.example": { auth: { username: "", password: "p" } } }, [], ["r.example"]],
    // containerd refuses what is not base64.
    [{ "r.example": { auth: { auth: "dckr_pat_abcdefghijklmnop" } } }, [], ["r.example"]],
    // No server has such a name.
    [{ "https://r.example/v2/": { auth: USER } }, [], ["https://r.example/v2/"]],
    [{ "*": { auth: USER } }, [], ["*"]],
    [{ "https://user:secret@r.example": { auth: USER } }, [], ["?"]],
    [{ "r.example": "text" }, [], ["r.example"]],
    [{ "r.example": { tls: { ca_file: "/ca.pem" } } }, []],
    [{ "r.example": { tls: null, auth: null } }, []],
    [{ "r.example": null }, []],
    [null, []],
  ];
  for (const [configs, want, unusableWant = []] of cases) {
    const found = registriesCredentials({ configs });
    assert.deepEqual(usable(found), want, JSON.stringify(configs));
    assert.deepEqual(found.unusable, unusableWant, JSON.stringify(configs));
  }
  assert.deepEqual(registriesCredentials(null), { usable: [], unusable: [] });
});

test("registries.yaml: whose credentials a server is shown", () => {
  const auth = (username: string) => ({ auth: { username, password: "p" } });
  const { usable } = registriesCredentials({
    configs: {
      "R.example": auth("plain"),
      "s.example:443": auth("tls"),
      "t.example:5000": auth("port"),
      "docker.io": auth("hub"),
    },
  });
  const cases: [server: string, user: string | undefined][] = [
    ["https://r.example/v2/hub", "plain"],
    ["https://r.example:5000/v2", undefined],
    ["https://s.example/v2", "tls"],
    ["http://s.example/v2", undefined],
    ["http://t.example:5000/v2", "port"],
    ["https://registry-1.docker.io/v2", "hub"],
  ];
  for (const [server, user] of cases) {
    assert.equal(findServerCredentials(usable, new URL(server))?.username, user, server);
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
