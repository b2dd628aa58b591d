import type { PeerId, Stream } from "@libp2p/interface";
import { deadline } from "../../async/deadline.ts";
import { errorOf } from "../../async/thrown.ts";
import { untilAborted } from "../../async/until_aborted.ts";
import type { Cancellable } from "../../ports/cancellable.ts";
import type { Clock } from "../../ports/clock.ts";
import { FrameDecoder, readStream } from "./dht_stream.ts";
import type { OpenStream } from "../libp2p/kad_dht.ts";

/** Idle timeout of a stream, ms; go-libp2p's servers close after 60 s. */
const IDLE_MS = 30_000;
/** Unanswered requests on one stream; beyond that the peer counts as stuck. */
const MAX_WAITING = 256;

export interface StreamClientCollaborators<Answer> {
  /** Opens a stream of the protocol, over an existing or a new connection. */
  readonly openStream: OpenStream;
  /** Decodes an answer. @throws if it is malformed, which closes the stream. */
  readonly decode: (frame: Uint8Array) => Answer;
  readonly clock: Pick<Clock, "now">;
}

export interface StreamClientOptions {
  /** Deadline of an answer, ms, including connecting. */
  readonly requestTimeoutMs: number;
}

/**
 * Sends requests to peers over one long-lived stream each, several at a time. Opening a stream
 * costs both sides several times as much as an answer.
 */
export class StreamClient<Answer> {
  readonly #collaborators: StreamClientCollaborators<Answer>;
  readonly #options: StreamClientOptions;
  readonly #channels = new Map<string, Channel<Answer>>();
  readonly #opening = new Map<string, Promise<Channel<Answer>>>();
  readonly #stop = new AbortController();

  constructor(collaborators: StreamClientCollaborators<Answer>, options: StreamClientOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
  }

  /** When a peer was last asked, by the clock; undefined if that is not known. */
  lastAsked(peer: PeerId): number | undefined {
    return this.#channels.get(peer.toString())?.lastAsked;
  }

  /**
   * Sends encoded messages, the last of which has an answer, and resolves with that.
   *
   * @throws if the peer is not reached or misses the deadline, or the signal's reason.
   */
  async ask(peer: PeerId, messages: Uint8Array, options: Cancellable): Promise<Answer> {
    using limit = deadline(this.#options.requestTimeoutMs, options);
    const kept = this.#channels.get(peer.toString());
    if (kept !== undefined) {
      kept.lastAsked = this.#collaborators.clock.now();
      try {
        return await kept.ask(messages, limit);
      } catch (error) {
        // A peer may close an existing stream at any time; only failure of a new one is an error.
        if (limit.signal.aborted || kept.isOpen) throw error;
      }
    }
    const channel = await untilAborted(this.#open(peer), limit.signal);
    channel.lastAsked = this.#collaborators.clock.now();
    return await channel.ask(messages, limit);
  }

  /**
   * Sends a message and waits for its answer without a deadline; it does not count for {@link
   * lastAsked}.
   *
   * @throws if the peer is not reached, or the stream breaks, or the signal's reason.
   */
  async askPatiently(peer: PeerId, message: Uint8Array, options: Cancellable): Promise<Answer> {
    const channel = this.#channels.get(peer.toString()) ??
      await untilAborted(this.#open(peer), options.signal);
    return await channel.ask(message, options);
  }

  /** Closes all streams. */
  stop(): void {
    this.#stop.abort(new DOMException("router is stopped", "AbortError"));
    for (const channel of this.#channels.values()) channel.close(this.#stop.signal.reason);
  }

  /** One attempt for all callers; it continues when they stop waiting. */
  #open(peer: PeerId): Promise<Channel<Answer>> {
    const name = peer.toString();
    const running = this.#opening.get(name);
    if (running !== undefined) return running;
    const opening = this.#connect(peer, name).finally(() => this.#opening.delete(name));
    this.#opening.set(name, opening);
    return opening;
  }

  async #connect(peer: PeerId, name: string): Promise<Channel<Answer>> {
    this.#stop.signal.throwIfAborted();
    const { openStream, decode } = this.#collaborators;
    using limit = deadline(2 * this.#options.requestTimeoutMs, this.#stop);
    const stream = await openStream(peer, limit);
    const channel = new Channel(stream, decode, () => {
      if (this.#channels.get(name) === channel) this.#channels.delete(name);
    });
    this.#channels.set(name, channel);
    return channel;
  }
}

interface Question<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

/** One stream; answers arrive in the order of the requests. */
class Channel<Answer> {
  lastAsked: number | undefined;
  readonly #stream: Stream;
  readonly #decode: (frame: Uint8Array) => Answer;
  readonly #onClose: () => void;
  readonly #waiting: Question<Answer>[] = [];
  #idle: ReturnType<typeof setTimeout> | undefined;
  #open = true;

  constructor(stream: Stream, decode: (frame: Uint8Array) => Answer, onClose: () => void) {
    this.#stream = stream;
    this.#decode = decode;
    this.#onClose = onClose;
    this.#read().then(() => this.close(new Error("the peer closed the stream")), (error) => {
      this.close(error);
    });
    this.#rest();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  async ask(messages: Uint8Array, { signal }: Cancellable): Promise<Answer> {
    if (this.#waiting.length >= MAX_WAITING) this.close(new Error("the peer does not keep up"));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.push({ resolve, reject });
    clearTimeout(this.#idle);
    try {
      this.#stream.send(messages);
    } catch (error) {
      this.close(error);
    }
    // The caller may stop waiting; the answer arrives nevertheless, in its turn.
    return await untilAborted(promise, signal);
  }

  close(reason: unknown): void {
    const error = errorOf(reason);
    if (this.#open) {
      this.#open = false;
      clearTimeout(this.#idle);
      this.#stream.abort(error);
      this.#onClose();
    }
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async #read(): Promise<void> {
    const frames = new FrameDecoder();
    for await (const piece of readStream(this.#stream)) {
      for (const frame of frames.push(piece)) {
        const answer = this.#decode(frame);
        this.#waiting.shift()?.resolve(answer);
      }
      if (this.#waiting.length === 0) this.#rest();
    }
  }

  #rest(): void {
    clearTimeout(this.#idle);
    if (!this.#open) return;
    this.#idle = setTimeout(() => this.close(new Error("stream was idle")), IDLE_MS);
  }
}
