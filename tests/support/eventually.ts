/** Longer than anything takes on a busy machine, ms. */
const PATIENCE_MS = 60_000;

/** Waits until something is so that other tasks bring about; fails after a long time. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The same, told by the condition itself. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(String(condition), condition);
}
