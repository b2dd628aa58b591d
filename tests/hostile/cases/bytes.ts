import type { HostileCase } from "../hostile_case.ts";

export const BYTES = {
  bitRot: {
    what: "A disk flips a bit of a 4 MiB layer at the only node that holds it",
    withKey: "pulled in the first attempt",
    without: "pulled in the first attempt",
  },
  bitRotAway: {
    what: "A disk flips a bit of each layer at one of two nodes that hold them; upstream is away",
    withKey: "pulled in the first attempt",
    without: "pulled in the first attempt",
  },
  bitRotLarge: {
    what:
      "A disk flips a bit of a 40 MiB layer at the only node that holds it, which starts again under a new id after each attempt",
    withKey: "pulled in the second attempt",
    without: "pulled in the second attempt",
  },
  bitRotLargeAway: {
    what:
      "The same at one of two nodes that hold several such layers; upstream is away, and the node starts again under a new id",
    withKey: "pulled",
    without: "pulled",
  },
  freshIds: {
    what: "Sends a 4 MiB layer with a flipped bit, under a fresh peer id for each attempt",
    withKey: "pulled in the first attempt",
    without: "pulled in the first attempt",
  },
  freshIdsLarge: {
    what: "The same with a 40 MiB layer",
    withKey: "pulled in the second attempt",
    without: "pulled in the second attempt",
  },
  hitAndRun: {
    what:
      "Sends the first MiB of each layer, with a flipped bit, and closes; another node holds them, upstream is away",
    withKey: "pulled in the first attempt; the other node serves what is asked next",
    without: "pulled in the first attempt; the other node serves what is asked next",
  },
  hitAndRunLarge: {
    what: "The same with a 40 MiB layer that nobody else holds, then sends the rest on request",
    withKey: "pulled in the second attempt",
    without: "pulled in the second attempt",
  },
  hitAndRunAway: {
    what: "The same while another node holds the 40 MiB layer, and upstream is away",
    withKey: "pulled",
    without: "pulled",
  },
  saysArriving: {
    what:
      "Sends a 40 MiB layer with a flipped bit and says that it still arrives; another node holds it, upstream is away",
    withKey: "pulled",
    without: "pulled",
  },
  inParts: {
    what:
      "Sends a 40 MiB layer with a flipped bit to a containerd 2.x that fetches it in parts; another node holds it, upstream is away",
    withKey: "pulled",
    without: "pulled",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
