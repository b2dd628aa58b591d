import type { UpstreamAnswer, UpstreamTrouble } from "../ports/access.ts";

/** Undefined if the server answered, even if only that it is overloaded: it can be reached. */
export function troubleOf(answer: UpstreamAnswer): UpstreamTrouble | undefined {
  if (answer.type !== "unavailable") return undefined;
  const { reason, because = reason } = answer;
  return because === "broken" || because === "limited" ? undefined : because;
}

/** What to do about it. */
export function fixOf(trouble: UpstreamTrouble): string {
  switch (trouble) {
    case "misconfigured":
      return "name the authorities that the node trusts in --upstream-ca; an earlier warning says " +
        "what is wrong";
    case "forbidden":
      return "a hosts.toml for it, or its name in --mirrored-registries";
    case "unresolved":
      return "make its name resolve for the agent, or give the agent the node's proxy (HTTPS_PROXY)";
    default:
      return "let the agent connect to it (egress policies, firewall), or give it the node's proxy " +
        "(HTTPS_PROXY); raise --upstream-timeout if it is slow";
  }
}
