import { runCommand } from "../e2e/lab/run_command.ts";
import { report } from "../e2e/lab/report.ts";
import { pullAll, untilFound } from "./lab/exchange.ts";
import type { InteropLab } from "./lab/interop_lab.ts";
import { interopSuite } from "./lab/interop_suite.ts";
import { spegelBinary } from "./lab/kinds.ts";

const other = spegelBinary() === undefined ? "the Go node" : "Spegel";
const BY_DNS = ["--bootstrap-kind", "dns", "--dns-bootstrap-domain", "all6.test"];
const address = (index: number) => `fd07:e2e::${index + 1}`;

await interopSuite(
  `a network of IPv6 alone, with ${other}`,
  { id: "six", sides: ["eddy", "other", "eddy"] },
  async (lab, step) => {
    await step("by AAAA records they find each other, and pull in all directions", async () => {
      await useIpv6(lab);
      await Promise.all(lab.nodes.map((node) => node.start(BY_DNS)));
      for (const asker of lab.nodes) {
        for (const holder of lab.nodes) {
          if (holder === asker) continue;
          const ms = await untilFound(asker, lab.imageOf(holder));
          await pullAll(asker, lab.imageOf(holder));
          report(
            `IPv6: ${asker.kind.name} found all that ${holder.kind.name} has in ${
              ms.toFixed(0)
            } ms`,
          );
        }
      }
    });
  },
);

/** Takes the IPv4 addresses of the hosts away and gives them IPv6 addresses and a common name. */
async function useIpv6({ nodes }: InteropLab): Promise<void> {
  const names = nodes.map((_, index) => `${address(index)} all6.test\n`).join("");
  for (const [index, { host }] of nodes.entries()) {
    const ip = (...args: string[]) => runCommand(["ip", "-n", host.namespace, ...args]);
    await ip("addr", "flush", "dev", "eth0", "scope", "global");
    await ip("-6", "addr", "add", `${address(index)}/64`, "dev", "eth0", "nodad");
    await Deno.writeTextFile(`/etc/netns/${host.namespace}/hosts`, names, { append: true });
  }
}
