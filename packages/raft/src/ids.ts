import { assert } from "./assert.ts";

declare const brand: unique symbol;

/**
 * One member of the ensemble, for ever: a data directory draws its id once and an id is used only once, so a node that
 * lost its data comes back under another id (etcd-io/raft README, "an ID can be used only once").
 */
export type NodeId = number & { readonly [brand]: "NodeId" };
/** Election epoch, from 0 (before any election). Raft paper, section 5.1. */
export type Term = number & { readonly [brand]: "Term" };
/** Position in the log, from 1; 0 stands before the first entry. Raft paper, section 5.3. */
export type LogIndex = number & { readonly [brand]: "LogIndex" };

function isNodeId(value: number): value is NodeId {
  return Number.isSafeInteger(value) && value > 0;
}

function isTerm(value: number): value is Term {
  return Number.isSafeInteger(value) && value >= 0;
}

function isLogIndex(value: number): value is LogIndex {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Checks and brands a node id: a positive safe integer. */
export function nodeId(value: number): NodeId {
  assert(isNodeId(value), "node_id_positive_safe_integer");
  return value;
}

/** Checks and brands a term: a safe integer from 0. */
export function term(value: number): Term {
  assert(isTerm(value), "term_safe_integer");
  return value;
}

/** Checks and brands a log index: a safe integer from 0. */
export function logIndex(value: number): LogIndex {
  assert(isLogIndex(value), "log_index_safe_integer");
  return value;
}

/** The index `distance` (default 1) after `index`. */
export function indexAfter(index: LogIndex, distance = 1): LogIndex {
  return logIndex(index + distance);
}

/** The term after `value`. */
export function termAfter(value: Term): Term {
  return term(value + 1);
}

/** The earlier of two indexes. */
export function earlier(left: LogIndex, right: LogIndex): LogIndex {
  return left < right ? left : right;
}

/** The later of two indexes. */
export function later(left: LogIndex, right: LogIndex): LogIndex {
  return left > right ? left : right;
}
