/** The body of a hit, twice. */
export interface WholeBody {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** A body that is at hand as a whole; the stream is made only for whoever wants one, of a copy. */
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
