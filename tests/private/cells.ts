import type { OriginOptions, OriginState, Who } from "./origin.ts";
import type { Target } from "./runtime.ts";

/** One case of the table. */
export interface Cell {
  readonly visibility: "public" | "private";
  readonly secret: "right" | "wrong" | "none";
  readonly upstream: OriginState;
  readonly place: "here" | "peer" | "nowhere";
  /** How the node that has the image came by it: through its agent, or past that. */
  readonly known: "through" | "before" | "during" | "-";
  readonly key: "on" | "off";
  readonly scheme: OriginOptions["scheme"];
}

/** What must come of it. */
export interface Expectation {
  /** What the mirror answers: content from here or from a peer, or a status. */
  readonly mirror: "here" | "peer" | 401 | 404;
  /** What upstream answers where the mirror did not serve; 0: nothing. */
  readonly origin: number;
  /** The access log of the registry of origin, requests of the agent. */
  readonly log: readonly string[];
  /** What the node that has it answers somebody who only says that it is a node; 0: nobody has it. */
  readonly unproven: 200 | 404 | 0;
}

/**
 * `away` stands for each of down, slow and 429, `past` for both ways to pull past the agent, `*` for
 * anything. How an image is known that nobody has is no question. Upstream was up when it was
 * pulled, and as long as it took the agent to ask about it. The last column is what has to be
 * found out upstream, in this order, while it answers; while it does not, the agent gives up after
 * two failures, and at once if it is told to (429).
 */
const RULES = `
  visibility | upstream | place   | known   | key | secret | mirror | asked upstream
  public     | up       | here    | *       | *   | *      | here   | anybody tag
  public     | up       | peer    | *       | *   | *      | peer   | anybody tag
  public     | up       | nowhere | *       | *   | *      | 404    | anybody tag
  public     | away     | here    | *       | *   | *      | here   | anybody tag
  public     | away     | peer    | *       | *   | *      | peer   | anybody tag, anybody manifest, anybody blob
  public     | away     | nowhere | *       | *   | *      | 404    | anybody tag, anybody manifest, anybody blob
  private    | up       | here    | through | *   | right  | here   | user tag
  private    | up       | here    | past    | *   | right  | here   | user tag, user blob
  private    | up       | here    | *       | *   | wrong  | 401    | wrong tag, wrong manifest, wrong blob
  private    | up       | here    | *       | *   | none   | 401    |
  private    | up       | peer    | *       | on  | right  | peer   | anybody tag, user tag, user blob
  private    | up       | peer    | *       | off | right  | 404    | anybody tag, user tag, user blob
  private    | up       | nowhere | *       | *   | right  | 404    | anybody tag, user tag, user blob
  private    | up       | peer    | *       | *   | wrong  | 401    | anybody tag, wrong tag, wrong manifest, wrong blob
  private    | up       | nowhere | *       | *   | wrong  | 401    | anybody tag, wrong tag, wrong manifest, wrong blob
  private    | up       | peer    | *       | *   | none   | 401    | anybody tag
  private    | up       | nowhere | *       | *   | none   | 401    | anybody tag
  private    | away     | here    | through | *   | right  | here   | user tag
  private    | away     | here    | past    | *   | right  | 404    | user tag, user manifest, user blob
  private    | away     | here    | *       | *   | wrong  | 404    | wrong tag, wrong manifest, wrong blob
  private    | away     | here    | *       | *   | none   | 401    |
  private    | away     | peer    | *       | on  | right  | 404    | anybody tag, anybody tag
  private    | away     | peer    | *       | on  | wrong  | 404    | anybody tag, anybody tag
  private    | away     | peer    | *       | on  | none   | 401    | anybody tag, anybody tag
  private    | away     | peer    | *       | off | *      | 404    | anybody tag, anybody manifest, anybody blob
  private    | away     | nowhere | *       | *   | *      | 404    | anybody tag, anybody manifest, anybody blob
`;

/** Questions that an agent asks before it leaves a registry alone. */
const HEARD = { up: Infinity, slow: 2, "429": 1, down: 0 } as const;

interface Rule {
  readonly fits: (cell: Cell) => boolean;
  readonly mirror: Expectation["mirror"];
  readonly questions: readonly (readonly [who: Who, target: Target])[];
}

const RULE_LIST = RULES.trim().split("\n").slice(1).map(parseRule);

const KNOWN = ["through", "before", "during"] as const;

/** All cells, those of one setting of the cluster key. */
export function cellsOf(key: Cell["key"]): Cell[] {
  const cells: Cell[] = [];
  for (const visibility of ["public", "private"] as const) {
    for (const secret of ["right", "wrong", "none"] as const) {
      for (const upstream of ["up", "down", "slow", "429"] as const) {
        for (const place of ["here", "peer", "nowhere"] as const) {
          for (const known of place === "nowhere" ? ["-"] as const : KNOWN) {
            for (const scheme of ["bearer", "basic"] as const) {
              cells.push({ visibility, secret, upstream, place, known, key, scheme });
            }
          }
        }
      }
    }
  }
  return cells;
}

const HOW = {
  "through": "through its node",
  "before": "before its node started",
  "during": "past its node",
  "-": "",
};

export function describeCell(cell: Cell): string {
  const { visibility, secret, upstream, place, known, key, scheme } = cell;
  const image = place === "nowhere" ? place : `${place}, pulled ${HOW[known]}`;
  return `${visibility}, ${secret} secret, upstream ${upstream} (${scheme}), image ${image}, key ${key}`;
}

/** @throws {Error} unless exactly one rule fits. */
export function expected(cell: Cell): Expectation {
  const fitting = RULE_LIST.filter(({ fits }) => fits(cell));
  const [rule] = fitting;
  if (rule === undefined || fitting.length > 1) {
    throw new Error(`${fitting.length} rules for ${describeCell(cell)}`);
  }
  const unproven = cell.place === "nowhere" ? 0 : cell.visibility === "public" ? 200 : 404;
  return {
    ...{ mirror: rule.mirror, origin: originStatus(cell), unproven },
    log: heard(cell, rule.questions),
  };
}

function originStatus({ visibility, secret, upstream, scheme }: Cell): number {
  if (upstream === "down") return 0;
  if (upstream === "429") return 429;
  if (secret === "right") return 200;
  // A token server gives nothing to wrong credentials, not even what is anybody's.
  if (visibility === "public") return secret === "wrong" && scheme === "bearer" ? 401 : 200;
  return 401;
}

/** The requests that a registry sees when these questions are put to it. */
function heard(cell: Cell, questions: Rule["questions"]): string[] {
  const { upstream, scheme, place, visibility, known } = cell;
  const log: string[] = [];
  // With an image that it has, the agent has learned the way already.
  let knowsRealm = place === "here";
  const tokens = new Set<Who>(place === "here" ? ["anybody"] : []);
  if (place === "here" && visibility === "private" && known === "through") tokens.add("user");
  for (const [who, target] of questions.slice(0, HEARD[upstream])) {
    const steps: string[] = [];
    if (scheme === "basic") {
      steps.push(`HEAD ${target} -`);
      if (who !== "anybody") steps.push(`HEAD ${target} ${who}`);
    } else {
      if (!knowsRealm) steps.push(`HEAD ${target} -`);
      if (!tokens.has(who)) steps.push(`token ${who}`);
      if (who !== "wrong") steps.push(`HEAD ${target} ${who}`);
    }
    if (upstream !== "up") {
      // The first step is not answered, so there is no second.
      log.push(...steps.slice(0, 1));
      // After a token server that did not answer, the registry itself is asked again.
      knowsRealm = false;
      continue;
    }
    log.push(...steps);
    knowsRealm = true;
    if (who !== "wrong") tokens.add(who);
  }
  return log;
}

function parseRule(line: string): Rule {
  const [visibility, upstream, place, known, key, secret, mirror = "", questions = ""] = line
    .split("|").map((column) => column.trim());
  const is = (column: string | undefined, value: string) => column === "*" || column === value;
  return {
    fits: (cell) =>
      is(visibility, cell.visibility) && is(upstream, cell.upstream === "up" ? "up" : "away") &&
      is(place, cell.place) && is(key, cell.key) && is(secret, cell.secret) &&
      is(known, cell.known === "through" ? "through" : "past"),
    mirror: mirror === "here" || mirror === "peer" ? mirror : mirror === "401" ? 401 : 404,
    questions: questions.split(",").filter((question) => question.trim() !== "")
      .map((question) => question.trim().split(" ") as [Who, Target]),
  };
}
