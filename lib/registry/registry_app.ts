import { Hono } from "hono";
import type { RateLimiter } from "../async/rate_limiter.ts";
import { OciError } from "../oci/error.ts";
import type { ReferenceFilter } from "../oci/filter.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Mirror } from "../ports/mirror.ts";
import type { Router } from "../ports/router.ts";
import type { Store } from "../ports/store.ts";
import type { Access, AnswerObserver, PeerAuth } from "../ports/access.ts";
import type { Catalog } from "../ports/catalog.ts";
import type { Arrivals } from "../ports/arrivals.ts";
import type { Layers } from "../ports/layers.ts";
import type { Integrity } from "../ports/integrity.ts";
import type { RequestObserver } from "../ports/requests.ts";
import type { Tags } from "../ports/tags.ts";
import type { Elections } from "../ports/rollout.ts";
import type { Answer } from "./answer.ts";
import {
  observeRequests,
  type RegistryBindings,
  type RegistryContext,
} from "./observe_requests.ts";
import { createListings } from "./listings.ts";
import { LocalContent } from "./local_content.ts";
import { keepBlobs } from "./keep_blobs.ts";
import { createPull } from "./pull.ts";
import { noSuchEndpoint } from "./request_target.ts";
import { Transfers } from "./transfers.ts";
import { UploadSlots } from "./upload_slots.ts";
import { createV2Handler } from "./v2_handler.ts";

/** What the registry works with. */
export interface RegistryCollaborators extends Runtime {
  readonly store: Store;
  readonly mirror: Mirror;
  /** Decides which content a tag means. */
  readonly tags: Tags;
  readonly router: Pick<Router, "ready">;
  /** Lists what this node holds; default: it is not listed. */
  readonly catalog?: Catalog | undefined;
  /** Rate of what is sent to peers, shared fairly; default: as fast as it goes. */
  readonly uploads?: Pick<RateLimiter, "take" | "pieceBytes"> | undefined;
  /** Decides which clients may have which content; default: all clients may have all content. */
  readonly access?: Access | undefined;
  /**
   * Tells, by an IP address, whether a client is on this node, and so is told why a request fails;
   * default: every client is.
   */
  readonly isLocalClient?: (address: string) => boolean;
  /** Tells nodes of the cluster from others. */
  readonly peerAuth?: PeerAuth | undefined;
  /** Told of content of the store that seems to be damaged; default: damage is not reported. */
  readonly integrity?: Pick<Integrity, "doubt"> | undefined;
  /** Keeps layers that the node's runtime would discard; default: it discards none. */
  readonly layers?: Layers | undefined;
  /** Finds content that is arriving, for peers; default: only held content is served. */
  readonly arrivals?: Arrivals | undefined;
  /** Tells what may soon be here, for peers; default: nothing is waited for. */
  readonly elections?: Pick<Elections, "expects"> | undefined;
  /** Told how clients of this node are answered; default: nobody is. */
  readonly answers?: AnswerObserver | undefined;
  /** Told of each request for content. */
  readonly requests?: RequestObserver;
  /** Runs work that no answer should wait for, such as logging; default: at once. */
  readonly later?: (work: () => void) => void;
}

/** Settings of {@link createRegistryApp}. */
export interface RegistryOptions {
  /**
   * The most blobs that are sent to peers at the same time, others are answered 429; default no
   * limit.
   */
  maxUploads?: number | undefined;
  /** Tells which references may be served; others are answered 404 and not looked up. */
  filter: ReferenceFilter;
  /**
   * `Authorization` headers of which a request below `/v2/` must have one; asked for at each
   * request. None: all clients are served. Default none.
   */
  authorizations?: () => readonly string[];
  /** Peer id of this node, which `/v2/` tells; default: it does not. */
  nodeId?: string | undefined;
  /** Peers are answered over secure connections only; default: over all. */
  securePeers?: boolean | undefined;
  /** Blobs up to this many bytes are read whole before they are sent; default 128 KiB. */
  smallBlobBytes?: number;
  /** How long the store may take to answer before content counts as not held; default 1000. */
  storeTimeoutMs?: number;
  /** How long the mirror may take until it has an answer, as a last resort; default 30,000. */
  mirrorTimeoutMs?: number;
  /** How long manifests may be read for a list; default 5000. */
  listTimeoutMs?: number;
  /** Longer URLs are answered 414; default 8192 characters. */
  maxUrlLength?: number;
}

/** The registry and what it takes to stop it gracefully. */
export interface RegistryApp {
  readonly app: Hono<{ Bindings: RegistryBindings }>;
  /** Requests being answered, their bodies included. */
  inFlight(): number;
  /**
   * Makes `/readyz` answer 503 and waits until no request is under way; when the signal aborts,
   * breaks those that are left. Does not reject. Meanwhile requests are still served: the server
   * stops accepting them.
   *
   * @returns how many requests were broken.
   */
  drain(options: Cancellable): Promise<number>;
}

/**
 * Makes the registry: the pull half of the OCI distribution specification (v1.1, endpoints end-1 to
 * end-3) and its lists (end-8, end-12) for containerd, other clients and other nodes, `/livez` and
 * `/readyz`. Every failure is answered with the specification's error body.
 */
export function createRegistryApp(
  collaborators: RegistryCollaborators,
  options: RegistryOptions,
): RegistryApp {
  const { store, mirror, tags, router, peerAuth, access, isLocalClient = () => true } =
    collaborators;
  const { integrity, arrivals, elections, requests, later, clock, log, metrics } = collaborators;
  const { answers, layers } = collaborators;
  const { filter, storeTimeoutMs = 1000, mirrorTimeoutMs = 30_000, maxUrlLength = 8192 } = options;
  const {
    nodeId,
    securePeers = false,
    authorizations = () => [],
    maxUploads = Infinity,
    smallBlobBytes = 128 * 1024,
  } = options;
  const runtime = { clock, log, metrics };
  const transfers = new Transfers();
  const content = new LocalContent(
    { store, integrity, clock, log },
    { storeTimeoutMs, smallBlobBytes },
  );
  const uploads = new UploadSlots(maxUploads);
  const plain = createPull(
    { ...runtime, content, mirror, tags, access, uploads, answers, integrity, arrivals, elections },
    { filter, mirrorTimeoutMs },
  );
  const pull = keepBlobs(plain, { layers, filter, isLocalClient });
  const listings = createListings({ ...collaborators, content, access, filter }, options);
  const observed = observeRequests(
    { ...runtime, transfers, uploads: collaborators.uploads, requests, later },
    { isLocalClient, maxUrlLength },
  );
  let draining = false;

  const app = new Hono<{ Bindings: RegistryBindings }>();
  app.get("/livez", observed("livez", () => probe(true)));
  app.get("/readyz", observed("readyz", () => probe(!draining && router.ready())));
  const v2 = createV2Handler(
    { pull, listings, store, access, peerAuth },
    { nodeId, securePeers, authorizations },
  );
  app.get("/v2/*", observed("v2", v2));
  for (const path of ["/livez", "/readyz", "/v2/*"]) {
    app.all(path, observed("other", refuseMethod));
  }
  app.notFound(observed("other", (c) => {
    throw noSuchEndpoint(c.req.raw.url);
  }));

  return {
    app,
    inFlight: () => transfers.active,
    drain(options) {
      draining = true;
      return transfers.drain(options);
    },
  };
}

function probe(ok: boolean): Answer {
  return {
    status: ok ? 200 : 503,
    headers: { "content-type": "text/plain" },
    body: ok ? "ok\n" : "not ready\n",
  };
}

function refuseMethod(c: RegistryContext): never {
  const { method } = c.req.raw;
  throw new OciError("UNSUPPORTED", `${method} is not supported, this mirror only serves pulls`, {
    status: 405,
  });
}
