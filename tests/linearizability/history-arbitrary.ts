import * as fc from "fast-check";
import type { Operation, OperationRecord, Outcome } from "./history.ts";
import { stepRegister, present, type RegisterState } from "./register-model.ts";

/** What one operation of a generated history does, and where in time it lies. */
interface Draft {
  readonly operation: Operation;
  readonly earlier: number;
  readonly later: number;
  readonly fate: "answered" | "lostBefore" | "lostAfter";
}

const operation = (): fc.Arbitrary<Operation> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Operation>({ kind: "get" }) },
    {
      weight: 3,
      arbitrary: fc.constantFrom("a", "b", "c").map((value): Operation => ({ kind: "set", value })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom("a", "b", "c"), fc.nat(3))
        .map(([value, expectedVersion]): Operation => ({
          kind: "compareAndSet",
          value,
          expectedVersion,
        })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Operation>(
        { kind: "create", value: "n" },
        { kind: "delete", expectedVersion: null },
        { kind: "delete", expectedVersion: 1 },
      ),
    },
  );

const draft = (): fc.Arbitrary<Draft> =>
  fc.record({
    operation: operation(),
    earlier: fc.nat(30),
    later: fc.nat(30),
    fate: fc.constantFrom(
      "answered",
      "answered",
      "answered",
      "answered",
      "lostBefore",
      "lostAfter",
    ),
  });

/**
 * Histories that are linearizable by construction: every operation takes effect at a chosen instant on a real register,
 * its call lies before and its return after that instant.
 */
export function goodHistory(lengthMax: number): fc.Arbitrary<readonly OperationRecord[]> {
  return fc.array(draft(), { maxLength: lengthMax }).map((drafts) => execute(drafts));
}

/** Good ones in which no two writes write the same. */
export function distinctHistory(lengthMax: number): fc.Arbitrary<readonly OperationRecord[]> {
  return fc.array(draft(), { maxLength: lengthMax }).map((drafts) =>
    execute(
      drafts.map((one, index) => {
        const { operation: asked } = one;
        if (!("value" in asked)) return one;
        return { ...one, operation: { ...asked, value: `${asked.value}${index}` } };
      }),
    ),
  );
}

/** Good ones whose answers were then tampered with, so that most are impossible and some are not. */
export function tamperedHistory(lengthMax: number): fc.Arbitrary<readonly OperationRecord[]> {
  const change = fc.record({ at: fc.nat(lengthMax), outcome: arbitraryOutcome() });
  return fc
    .tuple(goodHistory(lengthMax), fc.array(change, { maxLength: 2 }))
    .map(([history, changes]) =>
      history.map((record, index) => {
        const found = changes.find((candidate) => candidate.at === index);
        if (found === undefined || record.outcome.kind === "unknown") return record;
        return { ...record, outcome: found.outcome };
      }),
    );
}

function arbitraryOutcome(): fc.Arbitrary<Outcome> {
  return fc.oneof(
    fc
      .tuple(fc.constantFrom("0", "a", "b", "c", "n"), fc.nat(4))
      .map(([value, version]): Outcome => ({
        kind: "ok",
        observed: { value, version },
        zxid: null,
      })),
    fc.constant<Outcome>({ kind: "ok", observed: null, zxid: null }),
    fc
      .constantFrom("NO_NODE", "NODE_EXISTS", "BAD_VERSION", "OVERLOADED")
      .map((code): Outcome => ({ kind: "fail", code })),
  );
}

function execute(drafts: readonly Draft[]): readonly OperationRecord[] {
  let state: RegisterState = present("0", 0);
  let zxid = 1;
  return drafts.map((one, index) => {
    const instantMs = (index + 1) * 10;
    const outcome = one.fate === "lostBefore" ? null : perform(state, one.operation);
    if (outcome !== null && outcome.after !== state) zxid = index + 2;
    if (outcome !== null) state = outcome.after;
    const answer = answerOf(one, outcome, zxid);
    return {
      kind: "operation",
      client: index % 5,
      sequence: index,
      path: "/r",
      operation: one.operation,
      outcome: answer,
      invokedMs: instantMs - one.earlier,
      returnedMs: answer.kind === "unknown" ? Infinity : instantMs + one.later,
    };
  });
}

interface Performed {
  readonly after: RegisterState;
  readonly code: string | null;
}

function answerOf(one: Draft, performed: Performed | null, zxid: number): Outcome {
  if (performed === null || one.fate === "lostAfter") return { kind: "unknown", code: "TIMEOUT" };
  if (performed.code !== null) return { kind: "fail", code: performed.code };
  const { exists, value, version } = performed.after;
  return { kind: "ok", observed: exists ? { value, version } : null, zxid: exists ? zxid : null };
}

function perform(state: RegisterState, operation: Operation): Performed {
  const code = refusal(state, operation);
  if (code !== null) return { after: state, code };
  const record: OperationRecord = {
    kind: "operation",
    client: 0,
    sequence: 0,
    path: "/r",
    operation,
    outcome: { kind: "unknown", code: "" },
    invokedMs: 0,
    returnedMs: Infinity,
  };
  return { after: stepRegister(state, record) ?? state, code: null };
}

function refusal(state: RegisterState, operation: Operation): string | null {
  switch (operation.kind) {
    case "get":
      return null;
    case "create":
      return state.exists ? "NODE_EXISTS" : null;
    case "set":
      return state.exists ? null : "NO_NODE";
    case "compareAndSet":
    case "delete":
      if (!state.exists) return "NO_NODE";
      return operation.expectedVersion === null || operation.expectedVersion === state.version
        ? null
        : "BAD_VERSION";
  }
}
