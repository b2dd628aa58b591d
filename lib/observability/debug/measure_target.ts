import { isDigest } from "../../oci/digest.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";

/** The reference is malformed, another measurement is running, or the client may not measure. */
export class MeasureError extends Error {
  override readonly name = "MeasureError";
  readonly status: 400 | 403 | 429;

  constructor(message: string, status: 400 | 403 | 429) {
    super(message);
    this.status = status;
  }
}

/**
 * Parses user input: a full name, a short one of Docker Hub (`nginx`, `nginx:1.27`), or a digest
 * alone.
 */
export function parseTarget(text: string): Reference {
  const wanted = text.trim();
  // Peers serve digests under any repository name.
  if (isDigest(wanted)) return { registry: "", repository: "any", digest: wanted };
  const parsed = parseReference(wanted) ?? parseReference(`docker.io/${wanted}`);
  if (parsed === undefined || wanted.length > 512) {
    const shown = JSON.stringify(wanted.slice(0, 160));
    throw new MeasureError(
      `got ${shown}, want an image such as docker.io/library/nginx:1.27, or ` +
        `a digest`,
      400,
    );
  }
  const { registry, digest, tag } = parsed;
  const isShort = registry === "docker.io" && !parsed.repository.includes("/");
  const repository = isShort ? `library/${parsed.repository}` : parsed.repository;
  return digest === undefined
    ? { registry, repository, tag: tag ?? "latest" }
    : { registry, repository, digest };
}
