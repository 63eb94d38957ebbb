import { InvariantError } from "./assert.ts";
import type { RaftConfig, RaftInitialState } from "./config.ts";
import type { Entry } from "./entry.ts";
import type { LogIndex } from "./ids.ts";
import type { RaftInput, StepResult } from "./input.ts";
import type { Ready } from "./ready.ts";
import type { RaftStatus } from "./status.ts";

/** One member's consensus: inputs in, work out. */
export class RaftNode {
  constructor(config: RaftConfig, initial: RaftInitialState) {
    throw new InvariantError("unfinished", `${config.id} ${initial.firstIndex}`);
  }
  step(input: RaftInput): StepResult {
    throw new InvariantError("unfinished", input.kind);
  }
  takeReady(): Ready | null {
    throw new InvariantError("unfinished");
  }
  status(): RaftStatus {
    throw new InvariantError("unfinished");
  }
  checkInvariants(): void {
    throw new InvariantError("unfinished");
  }
  entriesFrom(from: LogIndex, to: LogIndex): readonly Entry[] {
    throw new InvariantError("unfinished", `${from} ${to}`);
  }
}
