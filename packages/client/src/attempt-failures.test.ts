import { describe, expect, test } from "vitest";
import { AttemptFailures } from "./attempt-failures.ts";
import type { Goodbye } from "./goodbye.ts";

function goodbye(code: Goodbye["code"], fatal = false): Goodbye {
  return { kind: "goodbye", code, message: `says ${code}`, fatal, protocolVersion: 1 };
}

/** What a client gives as the cause when no server took its session. */
function causeOf(failures: AttemptFailures): string | undefined {
  return failures.refusal?.code;
}

describe("why no server was of use", () => {
  test("is told of each by its last attempt, the newest first", () => {
    const failures = new AttemptFailures();
    expect(failures.text()).toBe("no server has been tried to the end");
    failures.note("a:1", "silent");
    failures.note("b:1", "refused b:1");
    failures.note("a:1", "NOT_READY: says so", goodbye("NOT_READY"));
    expect(failures.text()).toBe("a:1: NOT_READY: says so; refused b:1");
  });

  test("is a full disk before all else, and otherwise what was said last", () => {
    const failures = new AttemptFailures();
    expect(causeOf(failures)).toBeUndefined();
    failures.note("a:1", "full", goodbye("DISK_FULL"));
    failures.note("b:1", "not ready", goodbye("NOT_READY"));
    expect(causeOf(failures)).toBe("DISK_FULL");
    failures.note("a:1", "too much", goodbye("OVERLOADED"));
    expect(causeOf(failures)).toBe("OVERLOADED");
    expect(failures.refusal).toMatchObject({ retryable: true });
  });

  test("is not what a server said before it was tried once more, nor what ends a session", () => {
    const failures = new AttemptFailures();
    failures.note("a:1", "full", goodbye("DISK_FULL"));
    failures.note("a:1", "cannot be reached");
    failures.note("b:1", "expired", goodbye("SESSION_EXPIRED", true));
    expect(causeOf(failures)).toBeUndefined();
  });
});
