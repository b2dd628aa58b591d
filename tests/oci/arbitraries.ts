import fc from "fast-check";
import type { Digest } from "../../lib/oci/digest.ts";
import type { DistributionPath } from "../../lib/oci/path.ts";
import type { Reference } from "../../lib/oci/reference.ts";

function hex(length: number): fc.Arbitrary<string> {
  return fc.string({
    unit: fc.constantFrom(..."0123456789abcdef"),
    minLength: length,
    maxLength: length,
  });
}

/** Well-formed digests of both algorithms. */
export const digests: fc.Arbitrary<Digest> = fc.oneof(
  hex(64).map((text): Digest => `sha256:${text}`),
  hex(128).map((text): Digest => `sha512:${text}`),
);

/** Registry hosts that a full image name can begin with. */
export const registries: fc.Arbitrary<string> = fc.oneof(
  fc.stringMatching(/^[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}\.[a-z]{2,6}(:[0-9]{1,5})?$/),
  fc.constantFrom("localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "docker.io"),
).filter((registry) => URL.canParse(`http://${registry}`));

/** Repository names. */
export const repositories: fc.Arbitrary<string> = fc.stringMatching(
  /^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}(\/[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}){0,3}$/,
);

/** Tags. */
export const tags: fc.Arbitrary<string> = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/);

const PLAIN = { noNullPrototype: true };

/** References with a tag, a digest or both. */
export const references: fc.Arbitrary<Reference> = fc.oneof(
  fc.record({ registry: registries, repository: repositories, tag: tags }, PLAIN),
  fc.record({ registry: registries, repository: repositories, digest: digests }, PLAIN),
  fc.record({ registry: registries, repository: repositories, tag: tags, digest: digests }, PLAIN),
);

/** Paths of pulls: manifests by tag, manifests and blobs by digest. */
export const distributionPaths: fc.Arbitrary<DistributionPath> = fc.oneof(
  fc.record({
    kind: fc.constant("manifest" as const),
    reference: fc.record({ registry: registries, repository: repositories, tag: tags }, PLAIN),
  }, PLAIN),
  fc.record({
    kind: fc.constantFrom("manifest" as const, "blob" as const),
    reference: fc.record(
      { registry: registries, repository: repositories, digest: digests },
      PLAIN,
    ),
  }, PLAIN),
);
