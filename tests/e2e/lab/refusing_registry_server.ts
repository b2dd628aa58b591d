/**
 * A registry that refuses blobs and passes everything else on to another one: a process of its own,
 * on a host that a name is made to stand for. Says each request that it refuses on standard output.
 *
 * Arguments: address, port, status (401 or 429), address of the other registry.
 */
const [hostname = "", port = "", statusText = "", origin = ""] = Deno.args;
const status = Number(statusText);
const extra: Record<string, string> = status === 401
  ? { "www-authenticate": `Basic realm="lab"` }
  : { "retry-after": "1" };
const code = status === 401 ? "UNAUTHORIZED" : "TOOMANYREQUESTS";
const refusal = JSON.stringify({ errors: [{ code, message: "refused" }] });

Deno.serve({ hostname, port: Number(port) }, async ({ method, url, headers }) => {
  const { pathname } = new URL(url);
  if (!pathname.includes("/blobs/")) {
    const accept = headers.get("accept") ?? "*/*";
    return await fetch(`http://${origin}${pathname}`, { method, headers: { accept } });
  }
  Deno.stdout.writeSync(new TextEncoder().encode(`refused ${pathname}\n`));
  return new Response(method === "HEAD" ? null : refusal, {
    status,
    headers: { ...extra, "content-type": "application/json" },
  });
});
