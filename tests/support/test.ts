/** Context of a running test. */
export type TestContext = Deno.TestContext;

/**
 * Registers a test with the leak sanitizers on: they are off by default in recent versions of Deno,
 * and older ones reject the setting in deno.json.
 */
export function test(name: string, fn: (t: TestContext) => Promise<void> | void): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true, sanitizeExit: true });
}
