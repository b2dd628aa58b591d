import type { HostileCase } from "../hostile_case.ts";

export const LIMITS = {
  connectionFlood: {
    what:
      "For a minute another host and a pod on the node hold hundreds of connections to each port " +
      "of an agent that may open 256 files; half of them send a head that never ends",
    withKey: "it lives, says so, hears others, grows by less than 64 MiB, and serves its node",
    without: "it lives, says so, hears others, grows by less than 64 MiB, and serves its node",
  },
  fewFiles: {
    what: "39 idle connections at one port after the other of an agent that may open 64 files",
    withKey: "it lives, and hears again at each port",
    without: "it lives, and hears again at each port",
  },
  stoppedHandshakes: {
    what:
      "Another host, under eight addresses, holds 30 connections each to the TLS port of an agent that may open 256 files; half of them stop in the ClientHello, half after it",
    withKey: "others are heard within 5 s, at the plain port, too",
    without: "others are heard within 5 s, at the plain port, too",
  },
  stalledReader: {
    what:
      "Somebody asks for a layer as another node, reads none of it, and so holds the only upload",
    withKey: "others get their turn within a minute, and the file is closed",
    without: "others get their turn within a minute, and the file is closed",
  },
  unreadManifests: {
    what:
      "Somebody requests a manifest of 4 MB over a hundred connections at once, and reads none of it",
    withKey: "grows by less than 64 MiB, and others get it",
    without: "grows by less than 64 MiB, and others get it",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
