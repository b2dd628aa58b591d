import { type Host, removeNamespace } from "../../e2e/lab/network.ts";
import { runCommand } from "../../e2e/lab/run_command.ts";

const NODE = "10.88.0.1";
const POD = "10.88.0.2";

/** A network namespace behind a node, as that of a pod: its address is none of the node's. */
export class Pod implements AsyncDisposable {
  readonly host: Host;
  /** At which it reaches the node. */
  readonly nodeAddress = NODE;

  private constructor(host: Host) {
    this.host = host;
  }

  static async create(node: Host): Promise<Pod> {
    const pod = new Pod({
      ...{ name: `${node.name}-pod`, namespace: `${node.namespace}p`, address: POD },
    });
    const { namespace } = pod.host;
    const ip = (...args: string[]) => runCommand(["ip", ...args]);
    await ip("netns", "add", namespace);
    await ip(
      ...["-n", namespace, "link", "add", "eth0", "type", "veth"],
      ...["peer", "name", "pod0", "netns", node.namespace],
    );
    await ip("-n", namespace, "addr", "add", `${POD}/24`, "dev", "eth0");
    await ip("-n", namespace, "link", "set", "eth0", "up");
    await ip("-n", node.namespace, "addr", "add", `${NODE}/24`, "dev", "pod0");
    await ip("-n", node.namespace, "link", "set", "pod0", "up");
    return pod;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeNamespace(this.host.namespace);
  }
}
