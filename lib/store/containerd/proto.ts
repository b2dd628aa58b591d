import { Buffer } from "node:buffer";
import protobuf from "protobufjs";

/**
 * The used parts of containerd's gRPC API (containerd api/services, api/events, api/types) and of
 * CRI's (k8s.io/cri-api, runtime/v1), by their public field numbers. Unused fields are omitted;
 * protocol buffers skip them. Inlined so that a bundle needs no extra file.
 */
const DEFINITIONS = `
syntax = "proto3";
message Empty {}
message Any { string type_url = 1; bytes value = 2; }
message Descriptor { string media_type = 1; string digest = 2; int64 size = 3; }

message VersionResponse { string version = 1; string revision = 2; }

message PluginsRequest { repeated string filters = 1; }
message Status { int32 code = 1; string message = 2; }
message Plugin {
  string type = 1; string id = 2; map<string, string> exports = 5; Status init_err = 7;
}
message PluginsResponse { repeated Plugin plugins = 1; }

message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Image { string name = 1; Descriptor target = 3; Timestamp updated_at = 8; }
message GetImageRequest { string name = 1; }
message GetImageResponse { Image image = 1; }
message ListImagesRequest { repeated string filters = 1; }
message ListImagesResponse { repeated Image images = 1; }

message Info {
  string digest = 1; int64 size = 2; Timestamp created_at = 3; map<string, string> labels = 5;
}
message InfoRequest { string digest = 1; }
message InfoResponse { Info info = 1; }
message ListedInfo { string digest = 1; }
message ListContentRequest { repeated string filters = 1; }
message ListContentResponse { repeated ListedInfo info = 1; }
message ReadContentRequest { string digest = 1; int64 offset = 2; int64 size = 3; }
message ReadContentResponse { int64 offset = 1; bytes data = 2; }

message Lease { string id = 1; map<string, string> labels = 3; }
message CreateLeaseResponse { Lease lease = 1; }
message DeleteLeaseRequest { string id = 1; bool sync = 2; }
message ListLeasesRequest { repeated string filters = 1; }
message ListLeasesResponse { repeated Lease leases = 1; }
message LeaseResource { string id = 1; string type = 2; }
message LeaseResourceRequest { string id = 1; LeaseResource resource = 2; }
message ListLeaseResourcesRequest { string id = 1; }
message ListLeaseResourcesResponse { repeated LeaseResource resources = 1; }

message SubscribeRequest { repeated string filters = 1; }
message Envelope { string namespace = 2; string topic = 3; Any event = 4; }
message ImageEvent { string name = 1; }
message ContentEvent { string digest = 1; }

message StatusRequest { bool verbose = 1; }
message StatusResponse { map<string, string> info = 2; }

message ImageSpec { string image = 1; }
message PullImageRequest { ImageSpec image = 1; }
message PullImageResponse { string image_ref = 1; }
`;

const root = protobuf.parse(DEFINITIONS).root;

/** Encodes and decodes one message type. */
export interface Codec<T> {
  encode(value: T): Buffer;
  /** @throws {Error} if the bytes are malformed. Absent fields get their proto3 default. */
  decode(bytes: Uint8Array): T;
}

/**
 * The codec of a message in {@link DEFINITIONS}; `T` is its shape, with names in camel case.
 *
 * @throws {Error} if there is no such message.
 */
export function messageCodec<T extends object>(name: string): Codec<T> {
  const type = root.lookupType(name);
  return {
    encode: (value) => Buffer.from(type.encode(type.fromObject(value)).finish()),
    decode: (bytes) =>
      type.toObject(type.decode(bytes), {
        longs: Number,
        arrays: true,
        objects: true,
        defaults: true,
      }) as T,
  };
}
