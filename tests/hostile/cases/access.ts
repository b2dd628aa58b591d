import type { HostileCase } from "../hostile_case.ts";

const NOTHING = "404";

export const ACCESS = {
  pulledBefore: {
    what: "Asks for a private tag, manifest, layer and lists of what was pulled before Eddy was " +
      "there, as a pod and as if it were a node",
    withKey: NOTHING,
    without: NOTHING,
  },
  pulledPast: {
    what: "The same of an image that is pulled past Eddy while it runs",
    withKey: NOTHING,
    without: NOTHING,
  },
  pulledUnheard: {
    what: "The same of an image about which upstream was never asked, while that is away",
    withKey: NOTHING,
    without: NOTHING,
  },
  pulledPortless: {
    what:
      "Asks for a private layer of `host:5000` that only a label of containerd names, as `host`",
    withKey: NOTHING,
    without: NOTHING,
  },
  strangerNames: {
    what: "Asks for 10,000 tags whose names it made up, as a pod and as if it were a node",
    withKey: "404; upstream is not asked",
    without: "404; upstream is not asked",
  },
  clientNames: {
    what:
      "Has the node's own client ask for 10,000 names, and then asks for a private layer while " +
      "upstream is away",
    withKey: NOTHING,
    without: NOTHING,
  },
  crowdedDigest: {
    what:
      "Names a private layer in a public image, asks for that under 40 names before the private " +
      "image comes, and then for the layer",
    withKey: NOTHING,
    without: NOTHING,
  },
  manifestFlood: {
    what: "Asks for 49 manifests that name 4,096 layers each, and then for a private layer",
    withKey: NOTHING,
    without: NOTHING,
  },
  listedSecrets: {
    what:
      "Asks for tags and referrers of a private repository whose image is in a public one as well",
    withKey: NOTHING,
    without: NOTHING,
  },
  loginPage: {
    what:
      "Asks for a private layer whose registry sends whom it does not know to a page, or answers " +
      "200 with an error",
    withKey: NOTHING,
    without: NOTHING,
  },
} as const satisfies Readonly<Record<string, HostileCase>>;
