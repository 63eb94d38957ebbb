import type { Command } from "@quorate/kv-store";
import {
  CREATE_MODES,
  fencingToken,
  type SessionId,
  sessionId,
  type WriteOp,
  writeSeq,
  zxid,
} from "@quorate/kv-store/protocol";
import * as fc from "fast-check";

/**
 * A command that is not bound to ids yet: which session it means, and how far back or ahead it reaches, is drawn as small
 * numbers and looked up in the state when it runs, so that shrinking keeps commands meaningful.
 */
export interface Step {
  readonly kind: "write" | "repeat" | "gap" | "open" | "attach" | "close" | "expire";
  readonly session: number;
  readonly lag: number;
  readonly ops: readonly StepOp[];
}

type StepOp = readonly [op: WriteOp, tokenLag: number];

const PATHS = [
  "/a",
  "/b",
  "/a/x",
  "/a/y",
  "/a/x/z",
  "/l",
  "/l/m",
  "/a/l",
  "/l/contender-0000000000",
  "/l/contender-0000000001",
  "/",
  "/quorate/q",
  "/bad//p",
  "c",
] as const;

const path = fc.constantFrom(...PATHS);
const version = fc.option(fc.nat({ max: 2 }), { nil: null });
const data = fc.uint8Array({ maxLength: 100 });
const lockPath = fc.constantFrom("/l", "/l", "/a/l", "/l/m", "/a", "/");

const op: fc.Arbitrary<WriteOp> = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    path,
    data,
    mode: fc.constantFrom(...CREATE_MODES),
  }),
  fc.record({ kind: fc.constant("set" as const), path, data, version }),
  fc.record({ kind: fc.constant("delete" as const), path, version }),
  fc.record({ kind: fc.constant("check" as const), path, version }),
  fc.record({
    kind: fc.constant("guard" as const),
    path: lockPath,
    token: fc.constant(fencingToken(0)),
  }),
  fc.record({ kind: fc.constant("acquire" as const), path: lockPath, data, wait: fc.boolean() }),
  fc.record({
    kind: fc.constant("release" as const),
    path: lockPath,
    token: fc.constant(fencingToken(0)),
  }),
);

/** One step: mostly writes of one op, some of several, and everything that befalls sessions. */
export const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 14, arbitrary: fc.constant("write" as const) },
    {
      weight: 6,
      arbitrary: fc.constantFrom("repeat" as const, "gap", "open", "attach", "close", "expire"),
    },
  ),
  session: fc.nat({ max: 3 }),
  lag: fc.nat({ max: 12 }),
  ops: fc.array(fc.tuple(op, fc.nat({ max: 12 })), { maxLength: 4 }),
});

/** What a step needs to know of the state. */
export interface StepContext {
  readonly sessions: readonly { readonly id: SessionId; readonly lastWriteSeq: number }[];
  readonly zxid: number;
  readonly term: number;
}

/** The command that a step means in that state, to be applied at `zxid + 1`. */
export function commandOf(drawn: Step, context: StepContext): Command {
  const session = context.sessions[drawn.session % Math.max(context.sessions.length, 1)];
  const id = session?.id ?? sessionId(1);
  const last = session?.lastWriteSeq ?? 0;
  const ops = drawn.ops.map(([drawnOp, lag]) =>
    "token" in drawnOp
      ? { ...drawnOp, token: fencingToken(Math.max(context.zxid - lag, 0)) }
      : drawnOp,
  );
  const write = (seq: number, epoch = drawn.lag % 4): Command => ({
    kind: "write",
    session: id,
    writeSeq: writeSeq(Math.max(seq, 1)),
    ackedSeq: seq - drawn.lag > 0 ? writeSeq(seq - drawn.lag) : 0,
    epoch,
    ops,
  });
  const attach = { node: 1, address: "a", principal: "p", clientName: "c" };
  switch (drawn.kind) {
    case "write":
      return write(last + 1, 0);
    case "repeat":
      return write(last - drawn.lag);
    case "gap":
      return write(last + 2 + drawn.lag);
    case "open": {
      const verifier = Uint8Array.of(drawn.lag);
      return { kind: "openSession", verifier, timeoutMs: 1000 * drawn.lag, attach };
    }
    case "attach": {
      const verifier = Uint8Array.of(drawn.lag % 4);
      return { kind: "attach", session: id, verifier, timeoutMs: 5000, attach };
    }
    case "close":
      return { kind: "closeSession", session: id };
    case "expire":
      return {
        kind: "expireSessions",
        term: context.term - (drawn.lag % 4 === 0 ? 1 : 0),
        basis: zxid(Math.max(context.zxid - drawn.lag, 0)),
        sessions: context.sessions.slice(0, drawn.session + 1).map((other) => other.id),
      };
    default:
      throw new Error("of no known kind");
  }
}
