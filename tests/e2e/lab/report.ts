/** Puts a measured figure on a line of its own on stdout. */
export function report(text: string): void {
  const line = new TextEncoder().encode(`\n  measured: ${text}\n`);
  for (let written = 0; written < line.length;) {
    written += Deno.stdout.writeSync(line.subarray(written));
  }
}
