/** Concatenates chunks; a single one is returned as is. */
export function joinBytes<T extends Uint8Array>(
  chunks: readonly T[],
): T | Uint8Array<ArrayBuffer> {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/**
 * Reads a response's body of limited length.
 *
 * @throws {Error} if it is longer than `limit` bytes.
 */
export async function readLimited(
  response: Response,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > limit) throw new Error(`answer is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return joinBytes(chunks);
}
