import type { Cancellable } from "../ports/cancellable.ts";
import { type EndpointAnswer, isHtmlPage, refusal, retryAfter } from "./endpoint_answer.ts";
import type { UpstreamEndpoint } from "./endpoint.ts";
import type { Sender } from "./send.ts";
import { tlsSettings } from "./tls_settings.ts";

/**
 * Asks whether a server speaks the distribution API, anonymously and without the configured headers:
 * `GET /v2/`, which a registry answers to anybody with 200 or a challenge.
 *
 * Source: distribution specification, "Determining Support".
 *
 * @returns `missing` if it does: nothing was asked for. `broken` if it fails (5xx), and `rejected`
 * if something else answers, such as a gateway's page.
 * @throws as {@link Sender.send}.
 */
export async function pingServer(
  endpoint: UpstreamEndpoint,
  { sender, signal }: Cancellable & { readonly sender: Sender },
): Promise<EndpointAnswer> {
  const url = new URL(`${endpoint.url}/`);
  const response = await sender.send({
    method: "GET",
    url,
    headers: { accept: "application/json" },
    ...tlsSettings(endpoint),
    dialTimeoutMs: endpoint.dialTimeoutMs,
    httpsFirst: endpoint.httpsFirst,
    trustedHosts: new Set(endpoint.named ? [url.host] : []),
    signal,
  });
  await response.body?.cancel();
  if (response.status >= 500) return refusal(response.status, retryAfter(response));
  return isRegistryAnswer(response) ? { type: "missing", hidden: false } : { type: "rejected" };
}

/**
 * Success and errors are JSON, or say what API it is, or challenge the client. Success may have no
 * body. A redirect that was not followed, and the refusal of a proxy, are nobody's answer.
 */
function isRegistryAnswer(response: Response): boolean {
  const { status, headers } = response;
  if ((status >= 300 && status < 400) || status === 407 || isHtmlPage(response)) return false;
  if (headers.has("docker-distribution-api-version")) return true;
  if (status === 401) return /^(?:basic|bearer)\b/i.test(headers.get("www-authenticate") ?? "");
  const type = headers.get("content-type");
  return type === null ? status === 200 : /^application\/(?:[^;]*\+)?json\b/i.test(type);
}
