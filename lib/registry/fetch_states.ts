/**
 * A state of a fetch from peers.
 *
 * - `any`: asks for the content, private or not.
 * - `open`: asks for content that everybody may have.
 * - `headers`: asks for the headers alone, of content that may be private.
 * - `content`: asks for the content behind headers to which the client has been admitted.
 * - `check-content`: checks the client's right to the content that a peer sends.
 * - `check-headers`: checks the client's right to the content behind the headers.
 * - `other`: asks for the content that the tag means upstream.
 * - `open-only`: asks for content that everybody may have, as the client may have nothing else.
 * - `answered`: the last answer of peers, which may be a miss, is the result.
 * - `refused`: the client may not have the content, and no peer has it as open content.
 */
export type FetchState = AskState | CheckState | "answered" | "refused";
/** Asks peers. */
export type AskState = "any" | "open" | "headers" | "content" | "other" | "open-only";
/** Asks whether the client may have private content. */
export type CheckState = "check-content" | "check-headers";

/** What peers answer: `refused` if peers answered and none has it, `absent` for any other miss. */
export type AskEvent = "found" | "private" | "refused" | "absent";
/** Whether the client may have it: `admitted-other` if the tag means other content upstream. */
export type CheckEvent = "admitted" | "admitted-other" | "denied";

const ASKED: Readonly<Record<AskState, Readonly<Record<AskEvent, FetchState>>>> = {
  "any": {
    found: "answered",
    private: "check-content",
    refused: "answered",
    absent: "answered",
  },
  "open": {
    found: "answered",
    private: "check-content",
    // Peers refuse private content to a request for open content.
    refused: "headers",
    absent: "answered",
  },
  "headers": {
    // Another peer may deliver the content, and say that it is private.
    found: "any",
    private: "check-headers",
    refused: "answered",
    absent: "answered",
  },
  "content": always("answered"),
  "other": always("answered"),
  "open-only": {
    found: "answered",
    private: "answered",
    refused: "refused",
    absent: "refused",
  },
};

const CHECKED: Readonly<Record<CheckState, Readonly<Record<CheckEvent, FetchState>>>> = {
  "check-content": { "admitted": "answered", "admitted-other": "other", "denied": "open-only" },
  "check-headers": { "admitted": "content", "admitted-other": "other", "denied": "open-only" },
};

/** The state after peers have answered. */
export function afterAnswer(state: AskState, event: AskEvent): FetchState {
  return ASKED[state][event];
}

/** The state after the client's right has been checked. */
export function afterCheck(state: CheckState, event: CheckEvent): FetchState {
  return CHECKED[state][event];
}

/** Tells the states in which the client's right is checked. */
export function isCheck(state: FetchState): state is CheckState {
  return state in CHECKED;
}

/** Tells the states in which peers are asked. */
export function isAsk(state: FetchState): state is AskState {
  return state in ASKED;
}

function always(state: FetchState): Readonly<Record<AskEvent, FetchState>> {
  return { found: state, private: state, refused: state, absent: state };
}
