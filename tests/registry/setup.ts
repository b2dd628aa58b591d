import { TagResolver } from "../../lib/access/tags/tag_resolver.ts";
import { systemClock } from "../../lib/async/clock.ts";
import type { DistributionPath } from "../../lib/oci/path.ts";
import type { Cancellable } from "../../lib/ports/cancellable.ts";
import type { Mirror, MirrorHit, MirrorMiss, MirrorRequest } from "../../lib/ports/mirror.ts";
import {
  createRegistryApp,
  type RegistryApp,
  type RegistryCollaborators,
  type RegistryOptions,
} from "../../lib/registry/registry_app.ts";
import { MemoryLog } from "../fakes/log.ts";
import { memoryMetrics } from "../fakes/metrics.ts";
import { MemoryRouter } from "../fakes/router.ts";
import { MemoryStore } from "../fakes/store.ts";

/** A mirror that notes what it is asked and answers as told; a miss unless told otherwise. */
export class FakeMirror implements Mirror {
  readonly requests: MirrorRequest[] = [];
  /** What it was told that it is going to be asked. */
  readonly anticipated: DistributionPath[] = [];
  kept: (request: MirrorRequest) => MirrorHit | undefined = () => undefined;
  answer: (
    request: MirrorRequest,
    options: Cancellable,
  ) => MirrorHit | MirrorMiss | Promise<MirrorHit | MirrorMiss> = () => (
    { found: false, reason: "no-peer", attempts: 0 }
  );

  anticipate(path: DistributionPath): void {
    this.anticipated.push(path);
  }

  async fetch(request: MirrorRequest, options: Cancellable): Promise<MirrorHit | MirrorMiss> {
    this.requests.push(request);
    return await this.answer(request, options);
  }
}

/** A registry with fakes around it. */
export interface Setup extends RegistryApp {
  readonly store: MemoryStore;
  readonly mirror: FakeMirror;
  readonly router: MemoryRouter;
  readonly log: MemoryLog;
  readonly metrics: ReturnType<typeof memoryMetrics>;
  /** Sends a request without a network. */
  request(path: string, init?: RequestInit): Promise<Response>;
}

/** Makes a registry with fakes around it. */
export function setup(
  options: Partial<RegistryOptions> = {},
  replaced: Partial<RegistryCollaborators> = {},
): Setup {
  const fakes = {
    store: new MemoryStore(),
    mirror: new FakeMirror(),
    router: new MemoryRouter(),
    log: new MemoryLog(),
    metrics: memoryMetrics(),
  };
  const collaborators = { ...fakes, clock: systemClock, ...replaced };
  const registry = createRegistryApp(
    { tags: new TagResolver(collaborators), ...collaborators },
    // Streams are what most tests are about, and they need not be large for that.
    { filter: () => true, smallBlobBytes: 0, ...options },
  );
  return {
    ...fakes,
    ...registry,
    request: async (path, init) => await registry.app.request(path, init),
  };
}

/** Marks a request as another node's. */
export const FROM_PEER = { "x-spegel-mirrored": "true" };

/** A manifest's text. */
export const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: "sha256:0", size: 2 },
  layers: [],
});

/** The error code in a body. */
export async function errorCode(response: Response): Promise<string> {
  const body = await response.json();
  return body.errors[0].code;
}
