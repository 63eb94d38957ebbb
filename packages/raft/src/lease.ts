import { assert } from "./assert.ts";
import type { NodeId } from "./ids.ts";
import { never } from "./leader-lease.ts";
import type { HeartbeatReply } from "./message.ts";
import { membershipOf, type Leading, type NodeState } from "./node-state.ts";
import type { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";

/**
 * The host's monotonic clock. Whoever begins waits as long as its longest promise of before could last, since it does not
 * remember any.
 */
export function tellClock(state: NodeState, nowMs: number): void {
  const { lease } = state.config;
  if (lease === null || !(nowMs > state.nowMs)) return;
  state.nowMs = nowMs;
  const { promise } = state;
  if (promise.untilMs === never) promise.untilMs = nowMs + lease.promiseMs;
  assert(promise.untilMs >= 0, "promise_has_an_end");
}

/** Promises the leader to help nobody else, and says for how long: 0 where leases are off. */
export function promiseLeader(state: NodeState, leader: NodeId): number {
  const { lease } = state.config;
  if (lease === null) return 0;
  assert(state.leader === leader, "promised_to_the_leader");
  state.promise.to = leader;
  state.promise.untilMs = state.nowMs + lease.promiseMs;
  state.trace?.({ kind: "promised", to: leader, untilMs: state.promise.untilMs });
  return lease.promiseMs;
}

/** May not help `candidate` (perhaps itself) into office yet. */
export function isPromised(state: NodeState, candidate: NodeId): boolean {
  if (state.config.lease === null) return false;
  const { promise, nowMs } = state;
  assert(promise.to !== state.id, "promised_to_another");
  return nowMs < promise.untilMs && promise.to !== candidate;
}

/** Heartbeats leave: from now on counts what is promised in answer to them. */
export function noteLeaseRound(state: NodeState, leading: Leading): void {
  const { lease } = state.config;
  if (lease === null || leading.lease.isGivenUp) return;
  assert(state.leading === leading, "leading_on_leader_only");
  leading.lease.noteRound(leading.round, state.nowMs, lease.durationMs);
}

/** A peer answered: what it promised counts from when it was asked. */
export function notePromise(
  state: NodeState,
  leading: Leading,
  peer: Progress,
  reply: HeartbeatReply,
): void {
  const { lease } = state.config;
  // A peer that promises less, or nothing, may have been started with other settings.
  if (lease === null || reply.promiseMs < lease.promiseMs) return;
  const sentMs = leading.lease.sentMs(reply.round);
  assert(sentMs <= state.nowMs, "lease_begins_in_the_past");
  if (sentMs <= peer.promisedFromMs) return;
  peer.promisedFromMs = sentMs;
  state.trace?.({ kind: "peerPromised", peer: peer.id, fromMs: sentMs });
}

const promisedFromOf = (peer: Progress): number => peer.promisedFromMs;

/** Nobody else can lead yet: reads may be answered without asking. */
export function hasLease(state: NodeState, leading: Leading): boolean {
  const { lease } = state.config;
  if (lease === null || leading.lease.isGivenUp) return false;
  const own = leading.peers.get(state.id);
  assert(own !== undefined, "leader_counts_itself");
  own.promisedFromMs = state.nowMs;
  const fromMs = quorumValue(membershipOf(state), leading.peers, promisedFromOf);
  assert(fromMs <= state.nowMs, "lease_begins_in_the_past");
  return fromMs > 0 && state.nowMs < fromMs + lease.durationMs;
}
