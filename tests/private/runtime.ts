import { basicAuthorization } from "../../lib/oci/basic_auth.ts";
import type { Credentials } from "../../lib/oci/credentials.ts";
import { type Origin, REPOSITORY, RUNTIME_HEADER } from "./origin.ts";
import type { TestImage } from "./test_image.ts";

/** What is asked for during a pull, in this order. */
export const TARGETS = ["tag", "manifest", "blob"] as const;
export type Target = (typeof TARGETS)[number];

/** What other clients beside the node ask for. */
export const LISTS = ["tags", "referrers"] as const;
export type List = (typeof LISTS)[number];

/** An answer as a runtime takes it. */
export interface Taken {
  readonly status: number;
  /** Empty for a tag, of which only the headers are asked for. */
  readonly bytes: Uint8Array;
  readonly digest: string | null;
  /** It was asked for credentials. */
  readonly challenged: boolean;
}

/**
 * Asks a mirror as containerd does: without credentials first, and with those that it has if it is
 * challenged; blobs with them at once, if it was challenged before.
 */
export class Runtime {
  readonly #mirror: string;
  readonly #origin: Origin;
  readonly #secret: Credentials | undefined;
  #challenged = false;

  /** @param mirror base URL of an agent's registry. */
  constructor(mirror: string, origin: Origin, secret: Credentials | undefined) {
    this.#mirror = mirror;
    this.#origin = origin;
    this.#secret = secret;
  }

  async askMirror(target: Target): Promise<Taken> {
    const url = `${this.#mirror}${
      pathOf(target, this.#origin.options.image)
    }?ns=${this.#origin.host}`;
    const atOnce = target === "blob" && this.#challenged;
    let response = await this.#send(url, target, atOnce ? this.#basic() : {});
    const challenge = response.headers.get("www-authenticate") ?? "";
    const challenged = response.status === 401 && /^Basic realm=/.test(challenge);
    this.#challenged ||= challenged;
    if (challenged && !atOnce && this.#secret !== undefined) {
      await response.body?.cancel();
      response = await this.#send(url, target, this.#basic());
    }
    return { ...await take(response), challenged };
  }

  /** Asks for a list as other clients do: with credentials once it is asked for them. */
  async askForList(list: List): Promise<{ readonly status: number; readonly text: string }> {
    const url = this.#listUrl(list);
    let response = await this.#send(url, "manifest", {});
    if (response.status === 401 && this.#secret !== undefined) {
      await response.body?.cancel();
      response = await this.#send(url, "manifest", this.#basic());
    }
    return { status: response.status, text: await response.text() };
  }

  /** Asks for a list as somebody who says that it is a node; gives the status. */
  async askForListAsNode(list: List): Promise<number> {
    const headers = { "x-spegel-mirrored": "true" };
    const response = await this.#send(this.#listUrl(list), "manifest", headers);
    await response.body?.cancel();
    return response.status;
  }

  #listUrl(list: List): string {
    const { image: { manifest } } = this.#origin.options;
    const what = list === "tags" ? "tags/list" : `referrers/${manifest.digest}`;
    return `${this.#mirror}/v2/${REPOSITORY}/${what}?ns=${this.#origin.host}`;
  }

  /** Asks as somebody who says that it is a node; gives the status. */
  async askAsNode(target: Target): Promise<number> {
    const { image } = this.#origin.options;
    const url = `${this.#mirror}${pathOf(target, image)}?ns=${this.#origin.host}`;
    const response = await this.#send(url, target, { "x-spegel-mirrored": "true" });
    await response.body?.cancel();
    return response.status;
  }

  /** Pulls from the registry of origin itself. Status 0: it cannot be reached. */
  async askOrigin(target: Target): Promise<Omit<Taken, "challenged">> {
    const url = `http://${this.#origin.host}${pathOf(target, this.#origin.options.image)}`;
    try {
      let response = await this.#send(url, target, {});
      const challenge = response.headers.get("www-authenticate");
      if (response.status !== 401 || challenge === null) return await take(response);
      await response.body?.cancel();
      const realm = /^Bearer realm="([^"]+)"/.exec(challenge)?.[1];
      let headers = this.#basic();
      if (realm !== undefined) {
        const scope = `repository:${REPOSITORY}:pull`;
        const answer = await this.#send(`${realm}?scope=${scope}`, "manifest", headers);
        if (answer.status !== 200) return await take(answer);
        headers = { authorization: `Bearer ${(await answer.json()).token}` };
      }
      response = await this.#send(url, target, headers);
      return await take(response);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return { status: 0, bytes: new Uint8Array(), digest: null };
    }
  }

  #basic(): Record<string, string> {
    if (this.#secret === undefined) return {};
    const { username, password } = this.#secret;
    return { authorization: basicAuthorization(username, password) };
  }

  async #send(url: string, target: Target, headers: Record<string, string>): Promise<Response> {
    return await fetch(url, {
      method: target === "tag" ? "HEAD" : "GET",
      headers: { ...headers, [RUNTIME_HEADER]: "true" },
      signal: AbortSignal.timeout(20_000),
    });
  }
}

function pathOf(target: Target, { manifest, layer }: TestImage): string {
  const base = `/v2/${REPOSITORY}`;
  switch (target) {
    case "tag":
      return `${base}/manifests/v1`;
    case "manifest":
      return `${base}/manifests/${manifest.digest}`;
    case "blob":
      return `${base}/blobs/${layer.digest}`;
  }
}

async function take(response: Response): Promise<Omit<Taken, "challenged">> {
  const { status, headers } = response;
  return { status, bytes: await response.bytes(), digest: headers.get("docker-content-digest") };
}
