import { logIndex, nodeId } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { DigestExchange } from "./digest-exchange.ts";

const [A, B, C] = [nodeId(1), nodeId(2), nodeId(3)];
const AT = logIndex(1024);

function setUp(voters = [A, B, C]) {
  const broadcast = vi.fn();
  const fatal = vi.fn();
  const digests = new DigestExchange({ self: A, broadcast, voters: () => voters, fatal });
  return { digests, broadcast, fatal };
}

describe("the exchange of digests", () => {
  test("is due at the same revisions everywhere, and tells the others", () => {
    const { digests, broadcast } = setUp();
    expect([1023, 1024, 1025, 2048].map((index) => digests.isDue(logIndex(index)))).toEqual([
      false,
      true,
      false,
      true,
    ]);
    digests.own(AT, "x");
    expect(broadcast).toHaveBeenCalledWith(AT, "x");
  });

  test("counts a comparison once a majority agrees, and only once", () => {
    const { digests, fatal } = setUp();
    digests.own(AT, "x");
    expect(digests.comparedCount).toBe(0);
    digests.onDigest(B, AT, "x");
    digests.onDigest(C, AT, "x");
    expect(digests.comparedCount).toBe(1);
    expect(fatal).not.toHaveBeenCalled();
  });

  test("ends a node that is alone against a majority, whoever was first", () => {
    const early = setUp();
    early.digests.own(AT, "x");
    early.digests.onDigest(B, AT, "y");
    expect(early.fatal).not.toHaveBeenCalled();
    early.digests.onDigest(C, AT, "y");
    expect(early.fatal).toHaveBeenCalledWith(AT, "x", "y");
    const late = setUp();
    late.digests.onDigest(B, AT, "y");
    late.digests.onDigest(C, AT, "y");
    late.digests.own(AT, "x");
    expect(late.fatal).toHaveBeenCalledWith(AT, "x", "y");
  });

  test("leaves the majority alone when another node differs", () => {
    const { digests, fatal } = setUp();
    digests.own(AT, "x");
    digests.onDigest(B, AT, "x");
    digests.onDigest(C, AT, "y");
    expect(fatal).not.toHaveBeenCalled();
    expect(digests.comparedCount).toBe(1);
  });

  test("lets voters alone decide, also about a node that is none", () => {
    const [D, E] = [nodeId(4), nodeId(5)];
    const voter = setUp();
    voter.digests.own(AT, "x");
    for (const learner of [D, E]) voter.digests.onDigest(learner, AT, "y");
    expect(voter.fatal).not.toHaveBeenCalled();
    expect(voter.digests.comparedCount).toBe(0);
    const learner = setUp([B, C, D]);
    learner.digests.own(AT, "x");
    learner.digests.onDigest(B, AT, "y");
    learner.digests.onDigest(C, AT, "y");
    expect(learner.fatal).toHaveBeenCalledWith(AT, "x", "y");
  });

  test("does not mix revisions", () => {
    const { digests, fatal } = setUp();
    digests.own(AT, "x");
    digests.onDigest(B, logIndex(2048), "y");
    digests.onDigest(C, logIndex(2048), "y");
    expect(fatal).not.toHaveBeenCalled();
  });

  test("ignores what is not due and forgets the oldest beyond its bound", () => {
    const { digests, fatal } = setUp();
    digests.own(AT, "x");
    digests.onDigest(B, logIndex(1025), "y");
    for (let round = 2; round < 40; round += 1) digests.onDigest(B, logIndex(round * 1024), "z");
    digests.onDigest(B, AT, "y");
    digests.onDigest(C, AT, "y");
    expect(fatal).not.toHaveBeenCalled();
  });
});
