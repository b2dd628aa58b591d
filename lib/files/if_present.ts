/** The result of a file operation; undefined if there is nothing at its path. */
export function ifPresent<T>(operation: Promise<T>): Promise<T | undefined> {
  return unless(isMissing, operation);
}

/** Like {@link ifPresent}; also undefined if this process may not read the path. */
export function ifReadable<T>(operation: Promise<T>): Promise<T | undefined> {
  return unless(isUnreadable, operation);
}

/**
 * Tells whether an operation failed because a file is missing or not readable. So it is if a link
 * leads nowhere: where some paths are denied, Deno 2.6 calls that a loop.
 */
export function isUnreadable(error: unknown): boolean {
  return isMissing(error) || error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.FilesystemLoop;
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

async function unless<T>(
  isAnswer: (error: unknown) => boolean,
  operation: Promise<T>,
): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isAnswer(error)) return undefined;
    throw error;
  }
}
