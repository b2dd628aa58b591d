import assert from "node:assert/strict";
import { UnreadAnswers } from "../../lib/net/http/unread_answers.ts";
import { test } from "../support/test.ts";

const MOST = 100;

/** Answers in the order in which they come into memory, and who is cut off. */
const CASES: Record<string, { held: [bytes: number, waitingSince: number][]; cut: number[] }> = {
  "there is room for all": { held: [[50, 1], [50, 2]], cut: [] },
  "who has not read for longest goes": { held: [[50, 2], [50, 1], [10, 3]], cut: [1] },
  "as many as have to": { held: [[40, 1], [40, 2], [20, 3], [70, 4]], cut: [0, 1] },
  "one that is larger than all is alone": { held: [[10, 1], [200, 2], [10, 3]], cut: [0, 1] },
};

for (const [name, { held, cut }] of Object.entries(CASES)) {
  test(`unread answers: ${name}`, () => {
    const unread = new UnreadAnswers(MOST);
    const closed: number[] = [];
    const all = held.map(([bytes, waitingSince], index) =>
      unread.hold({ waitingSince, close: () => closed.push(index) }, bytes)
    );
    assert.deepEqual(closed, cut);
    for (const answer of all) answer[Symbol.dispose]();
    unread.hold({ waitingSince: 0, close: () => closed.push(-1) }, MOST);
    assert.deepEqual(closed, cut, "what is sent takes no room");
  });
}
