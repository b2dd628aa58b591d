/** Context of a running test. */
export type TestContext = Deno.TestContext;

/** A case of a suite whose processes and connections are the suite's own. */
export type Case = (name: string, fn: () => Promise<void>) => Promise<void>;

type Body = (t: TestContext) => Promise<void> | void;

/** Deno 2.6 takes the timers of `AbortSignal.timeout` for leaks, even of signals that are gone. */
const LEAKS_ARE_KNOWN = !Deno.version.deno.startsWith("2.6.");

/**
 * Registers a test with the leak sanitizers on: they are off by default in recent versions of Deno,
 * and older ones reject the setting in deno.json.
 */
export function test(name: string, fn: Body): void {
  Deno.test({
    name,
    fn,
    sanitizeOps: LEAKS_ARE_KNOWN,
    sanitizeResources: LEAKS_ARE_KNOWN,
    sanitizeExit: true,
  });
}

/**
 * Registers a test that needs something of the machine. Where that is missing, the test is left out
 * and its name says why; in CI (`CI=true`) it fails instead.
 *
 * @param missing what the machine lacks.
 * @param register registers the test if nothing is missing; default {@link test}.
 */
export function testWith(
  missing: readonly string[],
  name: string,
  fn: Body,
  register: (name: string, fn: Body) => void = test,
): void {
  if (missing.length === 0) return register(name, fn);
  const reason = `left out, this machine lacks ${missing.join(", ")}`;
  if (Deno.env.get("CI") !== "true") {
    Deno.test({ name: `${name} (${reason})`, ignore: true, fn: () => {} });
    return;
  }
  test(name, () => {
    throw new Error(reason);
  });
}

/**
 * Makes the function that adds cases to a test. What a case leaves running belongs to the suite: the
 * test as a whole is checked for leaks.
 */
export function casesOf(
  t: TestContext,
  { before, after, explain }: {
    readonly before?: () => Promise<void>;
    readonly after?: () => Promise<void>;
    /** Put below the error of a case that failed. */
    readonly explain: () => Promise<string>;
  },
): Case {
  return async (name, fn) => {
    await t.step({
      name,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        try {
          await before?.();
          await fn();
        } catch (error) {
          throw new Error(`${String(error)}\n${await explain()}`, { cause: error });
        } finally {
          await after?.();
        }
      },
    });
  };
}
