import { Buffer } from "node:buffer";
import protobuf from "protobufjs";
import type { Digest } from "../../lib/oci/digest.ts";
import { OCI_INDEX } from "../../lib/oci/media_type.ts";
import type { Method } from "../../lib/store/containerd/methods.ts";
import { type ContainerdClient, ContainerdError } from "../../lib/store/containerd/client.ts";

/** The calls that change images and content, by containerd's public field numbers. */
const { root } = protobuf.parse(`
syntax = "proto3";
message Descriptor { string media_type = 1; string digest = 2; int64 size = 3; }
message Image { string name = 1; Descriptor target = 3; }
message ImageRequest { Image image = 1; }
message DeleteImageRequest { string name = 1; bool sync = 2; }
message DeleteContentRequest { string digest = 1; }
message WriteContentRequest {
  int32 action = 1; string ref = 2; bytes data = 6; map<string, string> labels = 7;
}
message WriteContentResponse { string digest = 6; }
`);

const { signal } = new AbortController();

/** `WriteAction.COMMIT`: write the data of the message and be done. */
const COMMIT = 2;
/** Keeps content that no image refers to from being collected as garbage. */
const GC_ROOT = { "containerd.io/gc.root": "test" };

/** gRPC status "already exists". */
const ALREADY_EXISTS = 6;

/** Changes a real containerd's records as its clients do, also in ways that `ctr` refuses. */
export class ContainerdRecords {
  readonly #client: ContainerdClient;

  constructor(client: ContainerdClient) {
    this.#client = client;
  }

  /** Adds content and says which digest containerd gave it. */
  async putContent(
    bytes: Uint8Array,
    ref: string,
    labels: Readonly<Record<string, string>> = GC_ROOT,
  ): Promise<string> {
    const request = root.lookupType("WriteContentRequest");
    const response = root.lookupType("WriteContentResponse");
    const method: Method<object, { digest: string }> = {
      path: "/containerd.services.content.v1.Content/Write",
      request: {
        encode: (value: object) => Buffer.from(request.encode(request.fromObject(value)).finish()),
        decode: (message: Uint8Array) => request.decode(message) as object,
      },
      response: {
        encode: (value: object) => Buffer.from(response.encode(response.create(value)).finish()),
        decode: (message: Uint8Array) =>
          response.toObject(response.decode(message), { defaults: true }) as { digest: string },
      },
    };
    const value = { action: COMMIT, ref, data: bytes, labels };
    const { digest } = await this.#client.call(method, value, { signal, timeoutMs: 10_000 });
    return digest;
  }

  /** Creates an image record or points it elsewhere; its content need not be there. */
  async setImage(name: string, digest: Digest): Promise<void> {
    const image = { name, target: { mediaType: OCI_INDEX, digest, size: 1 } };
    try {
      await this.#call("images.v1.Images/Create", "ImageRequest", { image });
    } catch (error) {
      if (!(error instanceof ContainerdError && error.code === ALREADY_EXISTS)) throw error;
      await this.#call("images.v1.Images/Update", "ImageRequest", { image });
    }
  }

  async deleteImage(name: string): Promise<void> {
    await this.#call("images.v1.Images/Delete", "DeleteImageRequest", { name });
  }

  /** Deletes content and has garbage collected, which takes the file away. */
  async deleteContent(digest: Digest): Promise<void> {
    await this.#call("content.v1.Content/Delete", "DeleteContentRequest", { digest });
    await this.collect(digest);
  }

  /** Has garbage collected, by an image record with any target. */
  async collect(digest: Digest): Promise<void> {
    const name = "collect.test/garbage:1";
    await this.setImage(name, digest);
    await this.#call("images.v1.Images/Delete", "DeleteImageRequest", { name, sync: true });
  }

  async #call(path: string, message: string, value: object): Promise<void> {
    const type = root.lookupType(message);
    const codec = {
      encode: (request: object) => Buffer.from(type.encode(type.fromObject(request)).finish()),
      decode: () => ({}),
    };
    const method = { path: `/containerd.services.${path}`, request: codec, response: codec };
    await this.#client.call(method, value, { signal, timeoutMs: 10_000 });
  }
}
