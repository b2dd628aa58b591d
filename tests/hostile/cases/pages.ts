import type { HostileCase } from "../hostile_case.ts";

export const PAGES = {
  pageNames: {
    what: "A pod reads every page and API of the metrics port, and searches them for private names",
    withKey: "names and digests of public images only",
    without: "names and digests of public images only",
  },
  pageMeasure: {
    what: "A pod has a node measure a private image, its digests, and a public image",
    withKey: "403; the node asks no peer",
    without: "403; the node asks no peer",
  },
  pageHeaders: {
    what: "A pod says that its request comes from the node itself, or shows wrong credentials",
    withKey: "names and digests of public images only",
    without: "names and digests of public images only",
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
