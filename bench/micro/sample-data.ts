import { encodeCommand, type Command } from "@quorate/kv-store";
import { sessionId, writeSeq, type WriteOp } from "@quorate/kv-store/protocol";
import { logIndex, term, type Entry } from "@quorate/raft";
import { randomPool } from "../closed-loop.ts";
import { itemPath } from "../protocol.ts";

const VALUE_BYTES = 128;
const POOL = randomPool(VALUE_BYTES, 256);
const NO_DATA = new Uint8Array(0);

/** A value of 128 bytes that nothing can compress. */
export function sampleValue(at: number): Uint8Array {
  return POOL[at % POOL.length] ?? NO_DATA;
}

/** A set of a path, as the workloads have it. */
export function sampleSet(at: number): WriteOp {
  return { kind: "set", path: itemPath("/bench", at), data: sampleValue(at), version: null };
}

/** The write of a client that has seen all earlier answers. */
export function sampleWrite(
  session: number,
  sequence: number,
  ops: readonly WriteOp[],
): Extract<Command, { readonly kind: "write" }> {
  const acked = sequence === 1 ? 0 : writeSeq(sequence - 1);
  return {
    kind: "write",
    session: sessionId(session),
    writeSeq: writeSeq(sequence),
    ackedSeq: acked,
    epoch: 0,
    ops,
  };
}

/** Encoded sets, as they stand in the log. */
export function sampleCommands(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, at) =>
    encodeCommand(sampleWrite(1, at + 1, [sampleSet(at)])),
  );
}

/** Entries from an index on that hold these commands. */
export function entriesFrom(index: number, commands: readonly Uint8Array[]): readonly Entry[] {
  return commands.map((data, at) => ({
    kind: "command",
    term: term(1),
    index: logIndex(index + at),
    data,
  }));
}
