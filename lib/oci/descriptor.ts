import type { Digest } from "./digest.ts";

/** What is known of a piece of content: the OCI descriptor's three mandatory fields. */
export interface Descriptor {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}
