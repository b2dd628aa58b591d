import { Buffer } from "node:buffer";
import { Client, credentials } from "@grpc/grpc-js";
import protobuf from "protobufjs";

/** The part of the CRI's `ImageService` that is used here, by the field numbers of `runtime.v1`. */
const PROTO = `
  syntax = "proto3";
  package runtime.v1;
  message ImageSpec { string image = 1; }
  message AuthConfig { string username = 1; string password = 2; }
  message PullImageRequest { ImageSpec image = 1; AuthConfig auth = 2; }
  message PullImageResponse { string image_ref = 1; }
  message RemoveImageRequest { ImageSpec image = 1; }
  message RemoveImageResponse {}
  message ListImagesRequest {}
  message ListImagesResponse { repeated Image images = 1; }
  message Image { string id = 1; repeated string repo_tags = 2; repeated string repo_digests = 3; }
`;

/** User and password of a pull secret. */
export interface PullSecret {
  readonly username: string;
  readonly password: string;
}

/** An image as the kubelet sees it. */
export interface CriImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
}

/** A client of containerd's CRI image service: what the kubelet does when a pod starts. */
export class CriImages implements Disposable {
  readonly #types = protobuf.parse(PROTO).root;
  readonly #client: Client;

  /** @param socket containerd's socket. */
  constructor(socket: string) {
    this.#client = new Client(`unix://${socket}`, credentials.createInsecure());
  }

  /** Pulls and unpacks an image, with a pull secret as the kubelet hands it on: without a server. */
  async pull(
    reference: string,
    options: { readonly timeoutMs?: number; readonly auth?: PullSecret } = {},
  ): Promise<void> {
    const { timeoutMs = 60_000, auth } = options;
    const request = { image: { image: reference }, ...(auth === undefined ? {} : { auth }) };
    await this.#call("PullImage", request, timeoutMs);
  }

  /** Removes an image with all its names. */
  async remove(reference: string): Promise<void> {
    await this.#call("RemoveImage", { image: { image: reference } }, 20_000);
  }

  /** All images. */
  async list(): Promise<CriImage[]> {
    const { images } = await this.#call("ListImages", {}, 10_000);
    return images as CriImage[];
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #call(
    method: string,
    request: Record<string, unknown>,
    timeoutMs: number,
  ): Promise<Record<string, unknown>> {
    const requestType = this.#types.lookupType(`runtime.v1.${method}Request`);
    const responseType = this.#types.lookupType(`runtime.v1.${method}Response`);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/runtime.v1.ImageService/${method}`,
        (value: Record<string, unknown>) =>
          Buffer.from(requestType.encode(requestType.fromObject(value)).finish()),
        (bytes: Uint8Array) =>
          responseType.toObject(responseType.decode(bytes), { arrays: true }) as Record<
            string,
            unknown
          >,
        request,
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (error !== null) {
            reject(new Error(`CRI ${method}: ${error.message}`, { cause: error }));
          } else resolve(response ?? {});
        },
      );
    });
  }
}
