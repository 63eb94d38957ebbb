import { sessionId } from "@quorate/kv-store/protocol";
import { expect, test } from "vitest";
import { ManualClock } from "../../../tests/support/client/manual-clock.ts";
import { errorOf, outcomeOf } from "../../../tests/support/client/open-client.ts";
import type { SessionState } from "./api.ts";
import { Cancellations } from "./cancellations.ts";
import { SessionStates } from "./session-states.ts";

function connected(server: string): SessionState {
  return { kind: "connected", server, session: sessionId(7) };
}

function newStates(): SessionStates {
  return new SessionStates(new Cancellations(new ManualClock()));
}

async function next(iterator: AsyncIterator<SessionState>): Promise<string> {
  const { value } = await iterator.next();
  return value?.kind === "connected" ? value.server : (value?.kind ?? "done");
}

test.each([true, false])(
  "64 states wait to be read, of 65 the newest (begun: %s)",
  async (isBegun) => {
    for (const count of [64, 65]) {
      const states = newStates();
      states.become(connected("before"));
      const iterator = states.follow({})[Symbol.asyncIterator]();
      const first = isBegun ? next(iterator) : null;
      if (first !== null) {
        states.become(connected("first"));
        expect(await first).toBe("first");
      }
      for (let i = 1; i <= count; i += 1) states.become(connected(`s${i}`));
      if (count === 64) {
        for (let i = 1; i <= count; i += 1) expect(await next(iterator)).toBe(`s${i}`);
      } else {
        expect(await next(iterator)).toBe("s65");
      }
      const last = next(iterator);
      expect(outcomeOf(last).state).toBe("pending");
      states.become({ kind: "closed" });
      expect([await last, await next(iterator)]).toEqual(["closed", "done"]);
    }
  },
);

test("what ended, or was left, before its first state ends without one", async () => {
  const states = newStates();
  const abort = new AbortController();
  const aborted = states.follow({ signal: abort.signal })[Symbol.asyncIterator]();
  const left = states.follow({})[Symbol.asyncIterator]();
  await left.return?.();
  states.become(connected("a"));
  abort.abort();
  expect(await next(left)).toBe("done");
  expect(await next(aborted)).toBe("a");
  expect(await errorOf(aborted.next())).toMatchObject({ code: "ABORTED" });
  expect(await next(aborted)).toBe("done");
  states.become({ kind: "closed" });
  expect(await next(states.follow({})[Symbol.asyncIterator]())).toBe("done");
});
