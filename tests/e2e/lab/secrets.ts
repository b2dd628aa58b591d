import { USER } from "./auth/token_authentication.ts";
import { httpRequest } from "./http_request.ts";
import type { Lab, LabNode } from "./lab.ts";
import { readTree } from "./read_tree.ts";
import { UPSTREAM } from "./upstream.ts";

/** Files with secrets that agents are told of by flags. */
export interface SecretFiles extends Disposable {
  /** By which nodes know each other, with a second key that is valid, too. */
  readonly clusterKey: string;
  /** Docker's `config.json`. */
  readonly dockerConfig: string;
  /** `registries.yaml` of k3s. */
  readonly registries: string;
  /** The key that signs. */
  readonly key: string;
  /** All that is secret in them, by what it is. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Pages and data of an agent's metrics address. */
const PAGES = [
  ...["/metrics", "/", "/debug/", "/debug/config", "/debug/requests", "/debug/content"],
  ...["/debug/checks", "/debug/web/metadata"],
  ...["overview", "content", "requests", "checks", "config"].map((name) => `/debug/api/${name}`),
];

/**
 * Writes files with secrets of their own.
 *
 * @param options `withUpstream`: the Docker config has what the lab's registry accepts, too.
 */
export async function writeSecrets(
  options: { readonly withUpstream?: boolean } = {},
): Promise<SecretFiles> {
  const directory = await Deno.makeTempDir({ prefix: "eddy-e2e-secrets-" });
  const word = () => crypto.randomUUID().replaceAll("-", "");
  const [key, second, docker, registries] = [word() + word(), word() + word(), word(), word()];
  const upstream = basic(USER.username, USER.password);
  const auths = {
    "docker.test": { auth: basic("docker", docker) },
    ...(options.withUpstream === true ? { [UPSTREAM]: { auth: upstream } } : {}),
  };
  const files = {
    clusterKey: `${directory}/cluster.key`,
    dockerConfig: `${directory}/config.json`,
    registries: `${directory}/registries.yaml`,
  };
  await Deno.writeTextFile(files.clusterKey, `${key}\n${second}\n`);
  await Deno.writeTextFile(files.dockerConfig, JSON.stringify({ auths }));
  await Deno.writeTextFile(
    files.registries,
    `configs:\n  rancher.test:\n    auth: {username: rancher, password: ${registries}}\n`,
  );
  return {
    ...files,
    key,
    secrets: {
      "pull secret": USER.password,
      "pull secret as it is sent": upstream,
      "cluster key": key,
      "second cluster key": second,
      "docker config": docker,
      "docker config as it is sent": basic("docker", docker),
      "registries.yaml": registries,
      "registries.yaml as it is sent": basic("rancher", registries),
    },
    [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }),
  };
}

/**
 * Looks for secrets in everything that the agents of a lab show or keep: logs, metrics, pages, files,
 * answers to requests that fail.
 *
 * @returns where which were found.
 */
export async function findSecrets(
  lab: Lab,
  secrets: Readonly<Record<string, string>>,
): Promise<string[]> {
  const found: string[] = [];
  for (const node of lab.nodes) {
    for (const [place, text] of await shownBy(node)) {
      for (const [name, secret] of Object.entries(secrets)) {
        if (text.includes(secret)) found.push(`${node.host.name} ${place}: ${name}`);
      }
    }
  }
  return found;
}

async function shownBy({ host, agent }: LabNode): Promise<[place: string, text: string][]> {
  const shown: [string, string][] = [];
  for (const page of PAGES) {
    const { status, body } = await httpRequest(host, `http://127.0.0.1:9090${page}`);
    // The root leads on to the pages.
    if (status !== 200 && page !== "/") throw new Error(`${host.name} answers ${page}: ${status}`);
    shown.push([page, `${status} ${body}`]);
  }
  const headers = { authorization: `Basic ${basic(USER.username, USER.password)}` };
  for (
    const path of ["closed/none/manifests/v1", "closed/none/blobs/sha256:0", "no-such-endpoint"]
  ) {
    const { status, body } = await agent.request(`/v2/${path}?ns=${UPSTREAM}`, { headers });
    shown.push([`error at ${path}`, `${status} ${body}`]);
  }
  const log = await Deno.readTextFile(`${agent.dataDirectory}/../agent.log`);
  if (!log.includes('"level":"debug"')) throw new Error(`${host.name} has no log at level debug`);
  shown.push(["log", log]);
  for (const [file, text] of Object.entries(await readTree(agent.dataDirectory))) {
    shown.push([file, text]);
  }
  return shown;
}

function basic(username: string, password: string): string {
  return btoa(`${username}:${password}`);
}
