import type { LabNode } from "./lab.ts";
import { onHost } from "./network.ts";
import { runCommand } from "./run_command.ts";

/** Ports to which one node's connections to another go. */
export async function portsToward(
  { host }: LabNode,
  { host: { address } }: LabNode,
): Promise<number[]> {
  const { stdout } = await runCommand(onHost(host, ["ss", "-Htn", "dst", address]));
  return stdout.split("\n").flatMap((line) => {
    const port = new RegExp(`${address.replaceAll(".", "\\.")}\\]?:(\\d+)`).exec(line)?.[1];
    return port === undefined ? [] : [Number(port)];
  });
}
