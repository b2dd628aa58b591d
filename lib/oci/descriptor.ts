import type { Digest } from "./digest.ts";

/** The three mandatory fields of an OCI descriptor. */
export interface Descriptor {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Size, bytes. */
  readonly size: number;
}
