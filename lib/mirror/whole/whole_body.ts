/** The body of a hit, as bytes and as a stream. */
export interface WholeBody {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A body in memory. The stream is made on demand, of a copy. */
export function wholeBody(content: Uint8Array<ArrayBuffer>): WholeBody {
  return {
    content,
    get body() {
      return new ReadableStream({
        start(controller) {
          if (content.length > 0) controller.enqueue(content.slice());
          controller.close();
        },
      });
    },
  };
}

/** Joins chunks. */
export function joinChunks(chunks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first] = chunks;
  if (first !== undefined && chunks.length === 1) return first;
  const content = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    content.set(chunk, at);
    at += chunk.length;
  }
  return content;
}
