import { WITHOUT_UPSTREAM } from "../../support/without_upstream.ts";
import { eddyCommand } from "../../e2e/lab/eddy_command.ts";
import type { Containerd } from "../../e2e/lab/containerd.ts";
import type { NodeKind } from "./node.ts";

const ADDRESSES = [
  ...["--registry-addr", ":5000", "--router-addr", ":5001", "--metrics-addr", ":9090"],
];
/** On a busy machine a lookup may take longer than the 20 ms that both wait for it. */
const PATIENT = ["--mirror-resolve-timeout", "1s"];

/** Eddy, with an image layout as its store. */
export const EDDY: NodeKind = {
  name: "Eddy",
  argv: ({ directory }) => [
    ...[...eddyCommand(), "agent", ...ADDRESSES],
    ...["--store", `oci-layout:${directory}/layout`, "--log-level", "debug", ...PATIENT],
    ...WITHOUT_UPSTREAM,
  ],
};

/** The node on go-libp2p, with an image layout too. */
export const GO: NodeKind = {
  name: "the Go node",
  argv: ({ directory }) => [goNode(), ...ADDRESSES, "--content", `${directory}/layout`],
};

/** A real Spegel, whose images are in a containerd. */
export function spegel(binary: string, containerd: Containerd): NodeKind {
  return {
    name: "Spegel",
    mayMiss: true,
    argv: () => [
      ...[binary, "registry", ...ADDRESSES],
      ...["--containerd-sock", containerd.socket],
      ...["--containerd-content-path", containerd.contentPath],
      ...PATIENT,
      // Without a list: it wants some kind. Flags that follow take precedence.
      ...["--bootstrap-kind", "static"],
    ],
  };
}

/** The executable of the Go node: `EDDY_INTEROP_NODE`, else where `.ci/run` builds it. */
export function goNode(): string {
  const named = Deno.env.get("EDDY_INTEROP_NODE") ?? "";
  if (named !== "") return named;
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${cache}/eddy/bin/interop-node`;
}

/** The executable of a real Spegel, if `EDDY_INTEROP_SPEGEL` names one. */
export function spegelBinary(): string | undefined {
  const named = Deno.env.get("EDDY_INTEROP_SPEGEL") ?? "";
  return named === "" ? undefined : named;
}
