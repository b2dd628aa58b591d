import type { UnaskedRegistry } from "../debug_source.ts";
import { Badge, type BadgeKind, Card } from "./layout.tsx";

/** Maximum rows; the JSON has all. */
const MAX_ROWS = 50;

const STATES: Readonly<Record<UnaskedRegistry["runtime"], readonly [BadgeKind, string, string]>> = {
  reaches: ["bad", "left to containerd", "containerd reaches it, so tags are left to containerd"],
  fails: ["warning", "away", "containerd does not reach it either; tags mean what nodes hold"],
  unknown: ["warning", "away", "nothing shows yet whether containerd reaches it"],
};

/** The registries that this node cannot ask, and what that means for their tags. */
export function UnaskedRegistries({ registries }: { registries: readonly UnaskedRegistry[] }) {
  if (registries.length === 0) return null;
  return (
    <Card title="Upstream registries" note="that this node cannot ask">
      <table data-live>
        <thead>
          <tr>
            <th>Registry</th>
            <th>Why</th>
            <th>Tags</th>
            <th>What to do</th>
          </tr>
        </thead>
        <tbody>
          {registries.slice(0, MAX_ROWS).map(({ registry, trouble, runtime, fix }) => {
            const [kind, word, meaning] = STATES[runtime];
            return (
              <tr>
                <td data-label="Registry" class="mono">{registry}</td>
                <td data-label="Why">{trouble}</td>
                <td data-label="Tags">
                  <span title={meaning}>
                    <Badge kind={kind}>{word}</Badge>
                  </span>
                </td>
                <td data-label="What to do" class="wide">{fix}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Card>
  );
}
