import { link } from "../async/link.ts";
import type { UpstreamAnswer } from "../ports/access.ts";
import type { Cancellable } from "../ports/cancellable.ts";
import type { Clock } from "../ports/clock.ts";

/** Time after which the next server is asked as well, ms. */
const HEDGE_MS = 300;

/** Types of answers, in descending order of precedence. */
const RANKS = ["found", "denied", "misconfigured", "unavailable", "missing"] as const;

/**
 * Asks the servers of one registry in order, as containerd does, and combines their answers by
 * precedence: found, denied, misconfigured, failed, missing. So a mirror's refusal is not lost if
 * the next server lacks the content or is down. The next server is asked once the previous one did
 * not find the content, or is slow; a server without an answer when the signal aborts counts as a
 * timeout.
 *
 * @throws what `ask` throws.
 */
export async function askServers<Server>(
  servers: readonly Server[],
  ask: (server: Server, options: Cancellable) => Promise<UpstreamAnswer>,
  { clock, signal }: Cancellable & { readonly clock: Pick<Clock, "sleep"> },
): Promise<UpstreamAnswer> {
  const [only] = servers;
  if (only !== undefined && servers.length === 1) return await ask(only, { signal });
  using others = link(signal);
  try {
    const answers: Promise<UpstreamAnswer>[] = [];
    const found = Promise.withResolvers<UpstreamAnswer>();
    for (const server of servers) {
      const answer = ask(server, { signal: others.signal });
      answer.then((value) => value.type === "found" && found.resolve(value), () => {});
      answers.push(answer);
      const silence = clock.sleep(HEDGE_MS, { signal: others.signal }).catch(() => undefined);
      const first = await Promise.race([found.promise, answer, silence]);
      if (first?.type === "found") return first;
    }
    return await Promise.race([found.promise, Promise.all(answers).then(heaviest)]);
  } finally {
    others.abort();
  }
}

/** The answer of the highest precedence, see {@link askServers}. */
export function heaviest(answers: readonly UpstreamAnswer[]): UpstreamAnswer {
  const [first] = answers.toSorted((a, b) => rank(a) - rank(b));
  return first ?? { type: "missing", hidden: false };
}

function rank(answer: UpstreamAnswer): number {
  const isLasting = answer.type === "unavailable" &&
    (answer.reason === "misconfigured" || answer.reason === "forbidden");
  return RANKS.indexOf(isLasting ? "misconfigured" : answer.type);
}
