import type { RolloutView } from "../debug_source.ts";
import { formatCount, shortId } from "../format.ts";
import { Badge, Card, Empty } from "./layout.tsx";

/** Maximum fetch trees; the JSON has all. */
const MAX_ROLLOUTS = 12;
const MAX_ROWS = 100;
/** Bound of a tree's depth. */
const MAX_DEPTH = 64;

interface Row {
  readonly id: string;
  readonly depth: number;
  readonly failed: boolean;
}

/** The fetch trees that this node coordinates. */
export function Rollouts({ rollouts }: { rollouts: readonly RolloutView[] }) {
  return (
    <Card title="Rollouts" note="coordinated by this node, last minute">
      <div data-live>
        {rollouts.length === 0 ? <Empty>No node has asked for an assignment.</Empty> : null}
        {rollouts.slice(0, MAX_ROLLOUTS).map((rollout) => <Tree rollout={rollout} />)}
      </div>
    </Card>
  );
}

function Tree({ rollout: { key, members } }: { rollout: RolloutView }) {
  const rows = rowsOf(members);
  const left = members.length - Math.min(rows.length, MAX_ROWS);
  return (
    <details open>
      <summary class="mono name">{key}</summary>
      <ul>
        {rows.slice(0, MAX_ROWS).map(({ id, depth, failed }) => (
          <li class="mono">
            {"\u00a0\u00a0".repeat(depth)}
            {depth === 0 ? "upstream → " : "→ "}
            <span title={id}>{shortId(id)}</span>
            {failed ? <Badge kind="warning">failed</Badge> : null}
          </li>
        ))}
      </ul>
      {left > 0 ? <p class="note">and {formatCount(left)} more</p> : null}
    </details>
  );
}

/** Members in tree order: each below its parent, first those that fetch from upstream. */
function rowsOf(members: RolloutView["members"]): Row[] {
  const children = new Map<string | undefined, RolloutView["members"][number][]>();
  for (const member of members) {
    const siblings = children.get(member.parent) ?? [];
    siblings.push(member);
    children.set(member.parent, siblings);
  }
  const rows: Row[] = [];
  const seen = new Set<string>();
  const add = (parent: string | undefined, depth: number) => {
    for (const { id, failed } of children.get(parent) ?? []) {
      if (seen.has(id) || depth > MAX_DEPTH) continue;
      seen.add(id);
      rows.push({ id, depth, failed });
      add(id, depth + 1);
    }
  };
  add(undefined, 0);
  return rows;
}
