import { type Codec, messageCodec } from "./proto.ts";

/** One method of a gRPC service. */
export interface Method<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

/** An image record; `target` is null only if the server sent none. */
export interface ImageRecord {
  readonly name: string;
  readonly target: { readonly digest: string; readonly mediaType: string } | null;
  /** Time since 1970 (protobuf's Timestamp). */
  readonly updatedAt?: { readonly seconds: number; readonly nanos: number } | null;
}

/** The content service's record of a blob; `size` in bytes. */
export interface ContentInfo {
  readonly digest: string;
  readonly size: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt?: { readonly seconds: number; readonly nanos: number } | null;
}

/** A plugin as listed by the introspection service. */
export interface PluginRecord {
  readonly type: string;
  readonly id: string;
  readonly exports: Readonly<Record<string, string>>;
  /** Why it failed to start; null if it started. */
  readonly initErr: { readonly message: string } | null;
}

/** A lease of containerd. */
export interface LeaseRecord {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a lease keeps: `id` is a digest if `type` is `content`. */
export interface LeaseResource {
  readonly id: string;
  readonly type: string;
}

/** An event; `event.value` is an encoded message. */
export interface Envelope {
  readonly namespace: string;
  readonly topic: string;
  readonly event: { readonly typeUrl: string; readonly value: Uint8Array } | null;
}

type Filters = { readonly filters: readonly string[] };
type Nothing = Record<string, never>;

function method<Request extends object, Response extends object>(
  path: string,
  request: string,
  response: string,
): Method<Request, Response> {
  return { path, request: messageCodec(request), response: messageCodec(response) };
}

const SERVICES = "/containerd.services";
const LEASES = `${SERVICES}.leases.v1.Leases`;

/** The methods in use; those under `stream` are server-streaming. */
export const methods = {
  version: method<Nothing, { version: string; revision: string }>(
    `${SERVICES}.version.v1.Version/Version`,
    "Empty",
    "VersionResponse",
  ),
  plugins: method<Filters, { plugins: PluginRecord[] }>(
    `${SERVICES}.introspection.v1.Introspection/Plugins`,
    "PluginsRequest",
    "PluginsResponse",
  ),
  getImage: method<{ name: string }, { image: ImageRecord | null }>(
    `${SERVICES}.images.v1.Images/Get`,
    "GetImageRequest",
    "GetImageResponse",
  ),
  listImages: method<Filters, { images: ImageRecord[] }>(
    `${SERVICES}.images.v1.Images/List`,
    "ListImagesRequest",
    "ListImagesResponse",
  ),
  contentInfo: method<{ digest: string }, { info: ContentInfo | null }>(
    `${SERVICES}.content.v1.Content/Info`,
    "InfoRequest",
    "InfoResponse",
  ),
  createLease: method<LeaseRecord, { lease: LeaseRecord | null }>(
    `${LEASES}/Create`,
    "Lease",
    "CreateLeaseResponse",
  ),
  deleteLease: method<{ id: string; sync: boolean }, Nothing>(
    `${LEASES}/Delete`,
    "DeleteLeaseRequest",
    "Empty",
  ),
  listLeases: method<Filters, { leases: LeaseRecord[] }>(
    `${LEASES}/List`,
    "ListLeasesRequest",
    "ListLeasesResponse",
  ),
  addLeaseResource: method<{ id: string; resource: LeaseResource }, Nothing>(
    `${LEASES}/AddResource`,
    "LeaseResourceRequest",
    "Empty",
  ),
  deleteLeaseResource: method<{ id: string; resource: LeaseResource }, Nothing>(
    `${LEASES}/DeleteResource`,
    "LeaseResourceRequest",
    "Empty",
  ),
  listLeaseResources: method<{ id: string }, { resources: LeaseResource[] }>(
    `${LEASES}/ListResources`,
    "ListLeaseResourcesRequest",
    "ListLeaseResourcesResponse",
  ),
  criStatus: method<{ verbose: boolean }, { info: Record<string, string> }>(
    "/runtime.v1.RuntimeService/Status",
    "StatusRequest",
    "StatusResponse",
  ),
  pullImage: method<{ image: { image: string } }, { imageRef: string }>(
    "/runtime.v1.ImageService/PullImage",
    "PullImageRequest",
    "PullImageResponse",
  ),
  stream: {
    listContent: method<Filters, { info: { digest: string }[] }>(
      `${SERVICES}.content.v1.Content/List`,
      "ListContentRequest",
      "ListContentResponse",
    ),
    readContent: method<
      { digest: string; offset: number; size: number },
      { offset: number; data: Uint8Array }
    >(
      `${SERVICES}.content.v1.Content/Read`,
      "ReadContentRequest",
      "ReadContentResponse",
    ),
    subscribe: method<Filters, Envelope>(
      `${SERVICES}.events.v1.Events/Subscribe`,
      "SubscribeRequest",
      "Envelope",
    ),
  },
} as const;
