/** A request to the fake service, one JSON object per line. */
export type FakeRequest =
  | { readonly id: number; readonly kind: "create"; readonly path: string; readonly data: string }
  | { readonly id: number; readonly kind: "set"; readonly path: string; readonly data: string }
  | { readonly id: number; readonly kind: "get"; readonly path: string }
  | { readonly id: number; readonly kind: "delete"; readonly path: string }
  /** Answered with the number of children in the place of the revision. */
  | { readonly id: number; readonly kind: "children"; readonly path: string }
  /** Answered once, and once more with every write of the path. */
  | { readonly id: number; readonly kind: "watch"; readonly path: string };

/** Its answer: a revision and base64 data, or null for what is not there. */
export interface FakeReply {
  readonly id: number;
  readonly found: FakeValue | null;
}

export interface FakeValue {
  readonly revision: number;
  readonly data: string;
}

/**
 * A fault planted into the fake service or into its driver.
 * `slow-set`: the server answers a set after {@link SLOW_SET_MS}. `forgetful`: it keeps nothing on disk. `failing`: it has
 * no znode for every tenth set. `lying-driver`: every tenth set is never sent, yet reported as acknowledged.
 * `busy-driver`: the driver computes all the time. `collecting`: the server collects garbage with every twentieth set.
 * `undeleting`: every tenth deletion is not kept on disk. `dying`: the third node ends when the first has served a set.
 */
export type Plant =
  | "none"
  | "slow-set"
  | "forgetful"
  | "failing"
  | "lying-driver"
  | "busy-driver"
  | "collecting"
  | "undeleting"
  | "dying";

/** How a server of the fake service is told what to be, as JSON. */
export interface FakeServerSettings {
  readonly port: number;
  /** Its own for the node that does everything. */
  readonly leaderPort: number;
  readonly directory: string;
  readonly plant: Plant;
}

export const SLOW_SET_MS = 50;
