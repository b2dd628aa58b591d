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
