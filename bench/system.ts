import type { Containerd } from "../tests/e2e/lab/containerd.ts";
import { NAMESPACE } from "./store.ts";

/** Ports of one system; several systems run side by side on each node. */
export interface Ports {
  readonly registry: number;
  readonly router: number;
  readonly metrics: number;
}

/** A system under test. */
export interface System {
  /** Name in the report. */
  readonly name: string;
  readonly ports: Ports;
  /** The executable. */
  readonly binary: string;
  /** Arguments to start an agent for a containerd. */
  arguments(containerd: Containerd, directory: string): string[];
}

/** DNS name that resolves to all nodes. */
export const NODES = "nodes.test";

/** Eddy, optionally with further flags, on ports from `first` on. */
export function eddy(binary: string, name: string, first: number, flags: string[] = []): System {
  const ports = { registry: first, router: first + 1, metrics: first + 2 };
  return {
    name,
    ports,
    binary,
    arguments: (containerd, directory) => [
      "agent",
      ...shared(ports, containerd, directory),
      ...["--containerd-registry-config-path", "", "--dht-prefix", `/${name}`],
      // Upstream is not asked here, so no content would be known to be public.
      ...["--private-images", "share"],
      ...flags,
    ],
  };
}

/** The Go implementation of the same protocol. */
export function spegel(binary: string): System {
  const ports = { registry: 7000, router: 7001, metrics: 7002 };
  return {
    name: "spegel",
    ports,
    binary,
    arguments: (containerd, directory) => ["registry", ...shared(ports, containerd, directory)],
  };
}

function shared(ports: Ports, containerd: Containerd, directory: string): string[] {
  return [
    ...["--registry-addr", `:${ports.registry}`, "--router-addr", `:${ports.router}`],
    ...["--metrics-addr", `:${ports.metrics}`, "--data-dir", directory],
    ...["--containerd-sock", containerd.socket, "--containerd-namespace", NAMESPACE],
    ...["--containerd-content-path", containerd.contentPath],
    ...["--bootstrap-kind", "dns", "--dns-bootstrap-domain", NODES],
  ];
}
