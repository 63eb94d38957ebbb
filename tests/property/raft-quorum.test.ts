import { nodeId, type Membership, type NodeId } from "@quorate/raft";
import fc from "fast-check";
import { expect, test } from "vitest";
import { quorumValue, voteOutcome } from "../../packages/raft/src/quorum.ts";

/** The same questions answered without any cleverness: try every value, count heads. */
function naiveValue(voters: readonly NodeId[], values: ReadonlyMap<NodeId, number>): number {
  let best = 0;
  for (const candidate of values.values()) {
    const reached = voters.filter((id) => (values.get(id) ?? 0) >= candidate).length;
    if (reached > voters.length - reached && candidate > best) best = candidate;
  }
  return best;
}

function naiveOutcome(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): string {
  const yes = voters.filter((id) => votes.get(id) === true).length;
  const no = voters.filter((id) => votes.get(id) === false).length;
  if (yes > voters.length - yes) return "won";
  const possible = voters.length - no;
  return possible > voters.length - possible ? "pending" : "lost";
}

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 7 });

const membershipArbitrary = fc
  .record({ voters: ids, outgoing: fc.oneof(ids, fc.constant<number[]>([])) })
  .map(({ voters, outgoing }): Membership => ({
    voters: voters.map(nodeId),
    outgoingVoters: outgoing.map(nodeId),
    learners: [],
    members: [],
  }));

function mapOf<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<ReadonlyMap<NodeId, Value>> {
  return fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 9 }), value), { selector: ([id]) => id })
    .map((pairs) => new Map(pairs.map(([id, item]) => [nodeId(id), item])));
}

test("the value of a quorum is what counting heads gives", () => {
  const property = fc.property(membershipArbitrary, mapOf(fc.nat(20)), (membership, values) => {
    const { voters, outgoingVoters } = membership;
    const incoming = naiveValue(voters, values);
    const joint = outgoingVoters.length === 0 ? incoming : naiveValue(outgoingVoters, values);
    expect(quorumValue(membership, values, (value) => value)).toBe(Math.min(incoming, joint));
  });
  fc.assert(property, { numRuns: 2_000 });
});

test("the outcome of votes is what counting heads gives", () => {
  const property = fc.property(membershipArbitrary, mapOf(fc.boolean()), (membership, votes) => {
    const incoming = naiveOutcome(membership.voters, votes);
    const { outgoingVoters } = membership;
    const outgoing = outgoingVoters.length === 0 ? incoming : naiveOutcome(outgoingVoters, votes);
    const both = [incoming, outgoing];
    const expected = both.includes("lost")
      ? "lost"
      : both.every((outcome) => outcome === "won")
        ? "won"
        : "pending";
    expect(voteOutcome(membership, votes)).toBe(expected);
  });
  fc.assert(property, { numRuns: 2_000 });
});

test("any two quorums of one membership share a voter: two candidates never both win", () => {
  const property = fc.property(
    membershipArbitrary,
    mapOf(fc.boolean()),
    (membership, votesForFirst) => {
      const votesForSecond = new Map([...votesForFirst].map(([id, vote]) => [id, !vote]));
      const outcomes = [votesForFirst, votesForSecond].map((v) => voteOutcome(membership, v));
      expect(outcomes).not.toEqual(["won", "won"]);
    },
  );
  fc.assert(property, { numRuns: 1_000 });
});
