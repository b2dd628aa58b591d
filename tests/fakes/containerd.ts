import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, digestOf, splitDigest } from "../../lib/oci/digest.ts";
import {
  type ContentInfo,
  type Envelope,
  type LeaseResource,
  type Method,
  methods,
  type PluginRecord,
} from "../../lib/store/containerd/methods.ts";
import { messageCodec } from "../../lib/store/containerd/proto.ts";

interface Blob {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly createdAt: { readonly seconds: number; readonly nanos: number };
  labels: Record<string, string>;
}

interface Lease {
  readonly labels: Readonly<Record<string, string>>;
  readonly resources: Map<string, LeaseResource>;
}

interface Namespace {
  readonly leases: Map<string, Lease>;
  readonly images: Map<string, Digest>;
  readonly blobs: Map<Digest, Blob>;
}

type Topic =
  | "/images/create"
  | "/images/update"
  | "/images/delete"
  | "/content/create"
  | "/content/delete";

/** Largest piece in which bytes of a blob are sent. */
const READ_BYTES = 64 * 1024;
/** Streams that have ended are closed on both sides within this time. */
const STREAMS_CLOSE_MS = 50;

/** A containerd of one process: what it holds outlives `stop` and `start`, like a restart. */
export class FakeContainerd {
  readonly socketPath: string;
  /** Where blobs are files, too; never written to if `files` is false. */
  readonly contentPath: string;
  /** Set to false to be a containerd whose files cannot be reached. */
  files = true;
  /** Set to false to be a containerd 1.x, which tells nothing of content. */
  contentEvents = true;
  /** Set to true to accept calls and never answer them, like a stopped process. */
  hung = false;
  plugins: PluginRecord[] = [];
  /** JSON of the CRI configuration; undefined for a containerd without CRI. */
  criConfig: string | undefined;
  /** Paths of all methods called, in order. */
  readonly calls: string[] = [];
  readonly #namespaces = new Map<string, Namespace>();
  readonly #subscribers = new Set<ServerWritableStream<unknown, Envelope>>();
  #server: Server | undefined;
  #seconds = 1_700_000_000;

  constructor(directory: string) {
    this.socketPath = join(directory, "containerd.sock");
    this.contentPath = join(directory, "content");
  }

  /** How many clients follow the events. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  async start(): Promise<void> {
    const server = new Server();
    server.addService(...this.#service());
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(
        `unix:${this.socketPath}`,
        ServerCredentials.createInsecure(),
        (error) => error === null ? resolve() : reject(error),
      );
    });
    this.#server = server;
  }

  /** Breaks all connections and removes the socket. */
  async stop(): Promise<void> {
    // Deno's HTTP/2 can abort the process when a session is cut while its streams are closing.
    for (const subscriber of this.#subscribers) subscriber.end();
    await new Promise((resolve) => setTimeout(resolve, STREAMS_CLOSE_MS));
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#subscribers.clear();
    await rm(this.socketPath, { force: true });
  }

  /** Adds content, labelled, and tells of it. */
  async addContent(
    content: Uint8Array<ArrayBuffer> | string,
    { namespace = "k8s.io", labels = {} }: { namespace?: string; labels?: Record<string, string> } =
      {},
  ): Promise<Digest> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const digest = digestOf(bytes);
    if (this.files) {
      await mkdir(dirname(this.file(digest)), { recursive: true });
      await writeFile(this.file(digest), bytes);
    }
    const createdAt = { seconds: ++this.#seconds, nanos: 0 };
    this.#namespace(namespace).blobs.set(digest, { bytes, labels, createdAt });
    this.#tell(namespace, "/content/create", "ContentEvent", { digest });
    return digest;
  }

  /** Labels content, which raises no event. */
  label(digest: Digest, labels: Record<string, string>, namespace = "k8s.io"): void {
    const blob = this.#namespace(namespace).blobs.get(digest);
    if (blob !== undefined) blob.labels = { ...blob.labels, ...labels };
  }

  /** Removes content and its file; tells of it unless `silent`, as garbage collection does. */
  async removeContent(
    digest: Digest,
    { namespace = "k8s.io", silent = false } = {},
  ): Promise<void> {
    this.#namespace(namespace).blobs.delete(digest);
    await rm(this.file(digest), { force: true });
    if (!silent) this.#tell(namespace, "/content/delete", "ContentEvent", { digest });
  }

  /** Creates an image record or points it elsewhere. */
  setImage(name: string, target: Digest, { namespace = "k8s.io", silent = false } = {}): void {
    const { images } = this.#namespace(namespace);
    const topic = images.has(name) ? "/images/update" : "/images/create";
    images.set(name, target);
    if (!silent) this.#tell(namespace, topic, "ImageEvent", { name });
  }

  deleteImage(name: string, namespace = "k8s.io"): void {
    this.#namespace(namespace).images.delete(name);
    this.#tell(namespace, "/images/delete", "ImageEvent", { name });
  }

  /** Names of the leases, each with what it keeps. */
  leases(namespace = "k8s.io"): Record<string, string[]> {
    const { leases } = this.#namespace(namespace);
    return Object.fromEntries(
      [...leases].map(([id, { resources }]) => [id, [...resources.keys()].sort()]),
    );
  }

  /** Deletes a lease, as whoever uses `ctr` may. */
  deleteLease(id: string, namespace = "k8s.io"): void {
    this.#namespace(namespace).leases.delete(id);
  }

  /** Path of the file that has a blob. */
  file(digest: Digest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.contentPath, "blobs", algorithm, hex);
  }

  #namespace(name: string): Namespace {
    const namespace = this.#namespaces.get(name) ?? {
      images: new Map(),
      blobs: new Map(),
      leases: new Map(),
    };
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  #tell(namespace: string, topic: Topic, message: string, value: object): void {
    if (topic.startsWith("/content/") && !this.contentEvents) return;
    const event = {
      typeUrl: `containerd.events.${message}`,
      value: messageCodec(message).encode(value),
    };
    for (const subscriber of this.#subscribers) subscriber.write({ namespace, topic, event });
  }

  #service(): [ServiceDefinition, UntypedServiceImplementation] {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const handlers: UntypedServiceImplementation = {};
    const unary = <Q, R>(
      method: Method<Q, R>,
      answer: (request: Q, space: Namespace) => R | number,
    ) => {
      definition[method.path] = definitionOf(method, false);
      handlers[method.path] = (call: ServerUnaryCall<Q, R>, done: sendUnaryData<R>) => {
        this.calls.push(method.path);
        // Only once the client has given up: the library keeps a timer until a call is answered.
        if (this.hung) return void call.on("cancelled", () => done({ code: status.CANCELLED }));
        const result = answer(call.request, this.#namespace(namespaceOf(call.metadata)));
        if (typeof result === "number") done({ code: result, details: "as the test wants it" });
        else done(null, result);
      };
    };
    const stream = <Q, R>(
      method: Method<Q, R>,
      answer: (call: ServerWritableStream<Q, R>, space: Namespace) => void,
    ) => {
      definition[method.path] = definitionOf(method, true);
      handlers[method.path] = (call: ServerWritableStream<Q, R>) => {
        this.calls.push(method.path);
        if (!this.hung) answer(call, this.#namespace(namespaceOf(call.metadata)));
      };
    };
    unary(methods.version, () => ({ version: "0.0.0-fake", revision: "" }));
    unary(methods.plugins, () => ({ plugins: this.plugins }));
    unary(
      methods.criStatus,
      () =>
        this.criConfig === undefined ? status.UNIMPLEMENTED : { info: { config: this.criConfig } },
    );
    unary(methods.getImage, ({ name }, { images }) => {
      const target = images.get(name);
      return target === undefined ? status.NOT_FOUND : { image: imageRecord(name, target) };
    });
    unary(methods.listImages, (_request, { images }) => ({
      images: [...images].map(([name, target]) => imageRecord(name, target)),
    }));
    unary(methods.contentInfo, ({ digest }, { blobs }) => {
      const blob = blobs.get(digest as Digest);
      return blob === undefined ? status.NOT_FOUND : { info: contentInfo(digest, blob) };
    });
    serveLeases(unary);
    stream(methods.stream.listContent, (call, { blobs }) => {
      for (const digest of blobs.keys()) call.write({ info: [{ digest }] });
      call.end();
    });
    stream(methods.stream.readContent, (call, { blobs }) => {
      const { digest, offset, size } = call.request;
      const bytes = blobs.get(digest as Digest)?.bytes;
      if (bytes === undefined) {
        call.emit("error", { code: status.NOT_FOUND, details: "no such content" });
        return;
      }
      const end = size === 0 ? bytes.length : Math.min(bytes.length, offset + size);
      for (let at = offset; at < end; at += READ_BYTES) {
        call.write({ offset: at, data: bytes.subarray(at, Math.min(end, at + READ_BYTES)) });
      }
      call.end();
    });
    stream(methods.stream.subscribe, (call) => {
      this.#subscribers.add(call);
      call.on("cancelled", () => this.#subscribers.delete(call));
    });
    return [definition, handlers];
  }
}

type AddUnary = <Q, R>(
  method: Method<Q, R>,
  answer: (request: Q, space: Namespace) => R | number,
) => void;

function serveLeases(unary: AddUnary): void {
  unary(methods.createLease, ({ id, labels }, { leases }) => {
    if (leases.has(id)) return status.ALREADY_EXISTS;
    leases.set(id, { labels, resources: new Map() });
    return { lease: { id, labels } };
  });
  unary(
    methods.deleteLease,
    ({ id }, { leases }) => leases.delete(id) ? {} : status.NOT_FOUND,
  );
  unary(methods.listLeases, (_request, { leases }) => ({
    leases: [...leases].map(([id, { labels }]) => ({ id, labels })),
  }));
  unary(methods.addLeaseResource, ({ id, resource }, { leases }) => {
    const lease = leases.get(id);
    lease?.resources.set(resource.id, resource);
    return lease === undefined ? status.NOT_FOUND : {};
  });
  unary(methods.deleteLeaseResource, ({ id, resource }, { leases }) => {
    const lease = leases.get(id);
    lease?.resources.delete(resource.id);
    return lease === undefined ? status.NOT_FOUND : {};
  });
  unary(methods.listLeaseResources, ({ id }, { leases }) => {
    const lease = leases.get(id);
    return lease === undefined ? status.NOT_FOUND : { resources: [...lease.resources.values()] };
  });
}

function definitionOf<Q, R>(
  method: Method<Q, R>,
  responseStream: boolean,
): ServiceDefinition[string] {
  return {
    path: method.path,
    requestStream: false,
    responseStream,
    requestSerialize: method.request.encode,
    requestDeserialize: method.request.decode,
    responseSerialize: method.response.encode,
    responseDeserialize: method.response.decode,
  };
}

function namespaceOf(metadata: Metadata): string {
  return String(metadata.get("containerd-namespace")[0] ?? "");
}

function imageRecord(name: string, digest: Digest) {
  return { name, target: { digest, mediaType: "" } };
}

function contentInfo(digest: string, { bytes, labels, createdAt }: Blob): ContentInfo {
  return { digest, size: bytes.length, labels, createdAt };
}
