import assert from "node:assert/strict";
import {
  afterAnswer,
  afterCheck,
  type AskEvent,
  type AskState,
  type CheckEvent,
  type CheckState,
  type FetchState,
  isAsk,
  isCheck,
} from "../../lib/registry/fetch_states.ts";
import { test } from "../support/test.ts";

const ASK_EVENTS: readonly AskEvent[] = ["found", "private", "refused", "absent"];
const CHECK_EVENTS: readonly CheckEvent[] = ["admitted", "admitted-other", "denied"];

/** State to the states after each of `ASK_EVENTS`. */
const ASKED: readonly (readonly [AskState, ...FetchState[]])[] = [
  ["any", "answered", "check-content", "answered", "answered"],
  ["open", "answered", "check-content", "headers", "answered"],
  ["headers", "any", "check-headers", "answered", "answered"],
  ["content", "answered", "answered", "answered", "answered"],
  ["other", "answered", "answered", "answered", "answered"],
  ["open-only", "answered", "answered", "refused", "refused"],
];

/** State to the states after each of `CHECK_EVENTS`. */
const CHECKED: readonly (readonly [CheckState, ...FetchState[]])[] = [
  ["check-content", "answered", "other", "open-only"],
  ["check-headers", "content", "other", "open-only"],
];

test("fetch states: the transition of each state on each event", () => {
  for (const [state, ...next] of ASKED) {
    assert.deepEqual(ASK_EVENTS.map((event) => afterAnswer(state, event)), next, state);
  }
  for (const [state, ...next] of CHECKED) {
    assert.deepEqual(CHECK_EVENTS.map((event) => afterCheck(state, event)), next, state);
  }
});

test("fetch states: whatever happens, peers are asked four times at most", () => {
  const asks = (state: FetchState): number => {
    if (isAsk(state)) {
      return 1 + Math.max(...ASK_EVENTS.map((event) => asks(afterAnswer(state, event))));
    }
    if (isCheck(state)) {
      return Math.max(...CHECK_EVENTS.map((event) => asks(afterCheck(state, event))));
    }
    return 0;
  };
  assert.equal(asks("any"), 2);
  assert.equal(asks("open"), 4);
});

test("fetch states: private content is served only after a check, or as open content", () => {
  const served = (state: FetchState, isChecked: boolean): void => {
    if (isCheck(state)) {
      for (const event of CHECK_EVENTS) served(afterCheck(state, event), event !== "denied");
    } else if (isAsk(state)) {
      const next = afterAnswer(state, "private");
      if (next === "answered") assert.ok(isChecked || state === "open-only", state);
      for (const event of ASK_EVENTS) {
        const asked = afterAnswer(state, event);
        if (asked !== "answered") served(asked, isChecked);
      }
    }
  };
  served("any", false);
  served("open", false);
});
