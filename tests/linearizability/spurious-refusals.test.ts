import { describe, expect, test } from "vitest";
import { UNKNOWN, at, compareAndSet, failed, set } from "./history-builder.ts";
import { findSpuriousRefusal } from "./spurious-refusals.ts";

const REFUSED = failed("BAD_VERSION");
const first = set([1, 0, 10], "a", 1);
const second = set([1, 40, 50], "b", 2);

describe("a conditional write that was refused", () => {
  test("although its version was there all the time is found", () => {
    const history = [first, compareAndSet([2, 20, 30], 1, "x", REFUSED), second];
    expect(findSpuriousRefusal(history)).toContain("there all the time");
  });

  test.each([
    ["while the version came", compareAndSet([2, 5, 30], 1, "x", REFUSED)],
    ["while the version went", compareAndSet([2, 20, 45], 1, "x", REFUSED)],
    ["for another version", compareAndSet([2, 20, 30], 0, "x", REFUSED)],
    ["for another reason", compareAndSet([2, 20, 30], 1, "x", failed("DISK_FULL"))],
    ["of another register", at("/other", compareAndSet([2, 20, 30], 1, "x", REFUSED))],
    ["without an answer", compareAndSet([2, 20, 30], 1, "x", UNKNOWN)],
  ])("%s is not", (_what, refused) => {
    expect(findSpuriousRefusal([first, refused, second])).toBeNull();
  });

  test("where a write without an answer may stand between is not", () => {
    const unknown = set([3, 12, 14], "u", UNKNOWN);
    const third = set([1, 40, 50], "b", 3);
    const refused = compareAndSet([2, 20, 30], 1, "x", REFUSED);
    expect(findSpuriousRefusal([first, unknown, refused, third])).toBeNull();
  });
});
