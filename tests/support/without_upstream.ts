/** Flags for agents of tests whose images have names of real registries: nobody may be asked there. */
export const WITHOUT_UPSTREAM: readonly string[] = [
  ...["--tag-policy", "peer"],
  ...["--private-images", "share"],
];
