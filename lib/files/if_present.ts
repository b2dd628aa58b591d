/** What an operation on a path yields; undefined if there is nothing at that path. */
export function ifPresent<T>(operation: Promise<T>): Promise<T | undefined> {
  return unless(isMissing, operation);
}

/** The same; undefined, too, if this process may not read what is there. */
export function ifReadable<T>(operation: Promise<T>): Promise<T | undefined> {
  return unless(isUnreadable, operation);
}

/** Tells whether an operation failed since a file is missing, or this process may not read it. */
export function isUnreadable(error: unknown): boolean {
  return isMissing(error) || error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable;
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
