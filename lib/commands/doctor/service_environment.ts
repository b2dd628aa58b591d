import { parseEnvironmentFile } from "../service/environment_file.ts";
import { serviceNode } from "../service/service_node.ts";

/** Settings of this node's agent service; empty if there is no such service. */
export async function serviceEnvironment(): Promise<Readonly<Record<string, string>>> {
  try {
    const text = await Deno.readTextFile(serviceNode().paths.environment);
    return Object.fromEntries(parseEnvironmentFile(text));
  } catch (error) {
    const none = [Deno.errors.NotFound, Deno.errors.NotADirectory, Deno.errors.PermissionDenied];
    if (none.some((kind) => error instanceof kind)) return {};
    throw error;
  }
}
