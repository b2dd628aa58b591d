import type { AccessRequest } from "../ports/access.ts";

/** A request, with the names by which answers are remembered. */
export interface Question extends AccessRequest {
  readonly repository: string;
  /** Of a request by tag. */
  readonly tagName: string | undefined;
}
