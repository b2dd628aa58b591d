/**
 * What an attacker runs on a machine of its own, without the cluster's key: a member of the index
 * that lies, and where the index sends others for content a server that notes all it is asked, and
 * answers as it is told.
 *
 * Arguments: address and port of the server, directory of content by `sha256:…`, addresses of the victims. Orders come
 * to 127.0.0.1:7000, see `attacker.ts`.
 */
import type { Manner, Seen } from "./attacker.ts";
import { DhtLiar } from "./dht_liar.ts";

const [address = "", port = "", directory = "", ...victims] = Deno.args;
const RUBBISH = new Uint8Array(1000).fill(0x2a);
/** One that runs closes the connection here. */
const RUNS_AT = 1024 * 1024;
const seen: Seen[] = [];
let manner: Manner = "empty";
let challenge = "";
let impostor = "";

Deno.serve({ hostname: address, port: Number(port) }, answer);
const liar = victims.length === 0 ? undefined : await DhtLiar.join(address, victims);
Deno.serve({ hostname: "127.0.0.1", port: 7000 }, async (request) => {
  const { pathname, searchParams: query } = new URL(request.url);
  switch (pathname) {
    case "/id":
      return Response.json(liar?.id ?? "");
    case "/seen":
      return Response.json(seen.splice(0));
    case "/behave":
      manner = (query.get("manner") ?? "empty") as Manner;
      challenge = query.get("challenge") ?? "";
      impostor = query.get("impostor") ?? "";
      return Response.json(null);
    case "/name":
      liar?.name(query.get("peer") ?? "");
      return Response.json(null);
    case "/renew":
      await liar?.renew();
      return Response.json(null);
    case "/announce":
      await liar?.announce(query.getAll("key"));
      return Response.json(null);
    default:
      return new Response(null, { status: 404 });
  }
});

async function answer(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  seen.push({
    method: request.method,
    path: pathname + search,
    headers: Object.fromEntries(request.headers),
  });
  const digest = /sha256:[0-9a-f]{64}$/.exec(pathname)?.[0];
  switch (manner) {
    case "empty":
      return new Response(null, { status: 404 });
    case "challenge":
      return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
    case "rubbish":
      return content(RUBBISH, digest ?? `sha256:${"0".repeat(64)}`);
    case "rotten":
    case "arriving":
    case "runs": {
      const file = await Deno.readFile(`${directory}/${digest}`).catch(() => undefined);
      if (digest === undefined || file === undefined) return new Response(null, { status: 404 });
      file.set([(file[1000] ?? 0) ^ 1], 1000);
      const response = part(file, digest, request.headers.get("range"), manner === "runs");
      if (manner === "arriving") response.headers.set("x-eddy-arriving", "true");
      return response;
    }
    case "private":
    case "impostor": {
      const name = digest ?? impostor;
      const file = await Deno.readFile(`${directory}/${name}`).catch(() => undefined);
      if (file === undefined) return new Response(null, { status: 404 });
      return content(file, name, {
        "x-eddy-tag-time": String(Date.now()),
        ...(manner === "private" ? { "x-eddy-private": "true" } : {}),
      });
    }
  }
}

/** A body, or from `bytes=N-` on a part of it. Of the whole, one that runs sends a part and closes. */
function part(
  bytes: Uint8Array<ArrayBuffer>,
  digest: string,
  range: string | null,
  runs: boolean,
): Response {
  const [, first = "", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  const [start, end] = [Number(first), last === "" ? bytes.length : Number(last) + 1];
  let at = start;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (runs && range === null && at >= RUNS_AT) return controller.error(new Error("gone"));
      if (at >= end) return controller.close();
      const next = Math.min(at + 64 * 1024, end);
      controller.enqueue(bytes.slice(at, at = next));
    },
  }, { highWaterMark: 0 });
  return new Response(body, {
    status: range === null ? 200 : 206,
    headers: {
      "content-length": String(end - start),
      "content-type": "application/octet-stream",
      "docker-content-digest": digest,
      "cache-control": "no-transform",
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
    },
  });
}

function content(
  bytes: Uint8Array<ArrayBuffer>,
  digest: string,
  more: Record<string, string> = {},
): Response {
  return new Response(bytes, {
    headers: {
      "content-type": "application/vnd.oci.image.manifest.v1+json",
      "docker-content-digest": digest,
      ...more,
    },
  });
}
