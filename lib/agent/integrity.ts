import type { Advertiser } from "../advertiser/advertiser.ts";
import type { Digest } from "../oci/digest.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Store } from "../ports/store.ts";
import { Inspector } from "../store/integrity/inspector.ts";
import { SoundStore } from "../store/integrity/sound_store.ts";
import type { StopStack } from "./stop_stack.ts";

/** What {@link createIntegrity} works with. */
export interface IntegrityCollaborators extends Runtime {
  readonly stack: StopStack;
  /** Called once content is in doubt. */
  readonly advertiser: () => Pick<Advertiser, "has" | "review">;
}

/** What keeps damaged content from being served and advertised. */
export interface IntegrityParts {
  readonly integrity: Inspector;
  /** The store without what is damaged in it. */
  readonly store: Store;
  readonly isDamaged: (digest: Digest) => boolean;
}

/** Makes the part that finds damaged content of the store. */
export function createIntegrity(
  whole: Store,
  { clock, log, metrics, stack, advertiser }: IntegrityCollaborators,
): IntegrityParts {
  const integrity = new Inspector({
    ...{ store: whole, clock, log: log.child({ part: "integrity" }), metrics },
    advertises: (digest) => advertiser().has(digest),
    changed: (digest) => advertiser().review(digest),
  });
  stack.push("integrity", () => integrity.close());
  const isDamaged = (digest: Digest) => integrity.isDamaged(digest);
  return { integrity, store: new SoundStore(whole, integrity), isDamaged };
}
