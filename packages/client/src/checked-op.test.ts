import {
  checkPath,
  encodeClientFrame,
  fencingToken,
  writeSeq,
  type WriteOp,
} from "@quorate/kv-store/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { queryBytes, textBytes, writeBytes } from "./checked-op.ts";

const path = fc
  .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((names) => `/${names.join("/")}`)
  .filter((text) => checkPath(text) === null);
const data = fc.uint8Array({ maxLength: 300 });
const version = fc.option(fc.maxSafeNat());
const token = fc.maxSafeNat().map(fencingToken);

const op: fc.Arbitrary<WriteOp> = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    path,
    data,
    mode: fc.constantFrom("persistent" as const, "ephemeralSequential" as const),
  }),
  fc.record({ kind: fc.constant("set" as const), path, data, version }),
  fc.record({ kind: fc.constantFrom("delete" as const, "check" as const), path, version }),
  fc.record({ kind: fc.constantFrom("guard" as const, "release" as const), path, token }),
  fc.record({ kind: fc.constant("acquire" as const), path, data, wait: fc.boolean() }),
);

test("text is counted in UTF-8 bytes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(textBytes(text)).toBe(new TextEncoder().encode(text).length);
    }),
  );
});

test("an estimate is never below what the codec needs", () => {
  fc.assert(
    fc.property(fc.array(op, { minLength: 1, maxLength: 20 }), (ops) => {
      const ackedSeq = writeSeq(Number.MAX_SAFE_INTEGER);
      const frame = encodeClientFrame([{ kind: "write", writeSeq: ackedSeq, ackedSeq, ops }]);
      expect(frame.length).toBeLessThanOrEqual(writeBytes(ops));
    }),
  );
  fc.assert(
    fc.property(path, (text) => {
      const query = { kind: "children", path: text, after: text, limit: 1_000 } as const;
      const cxid = Number.MAX_SAFE_INTEGER;
      const message = { kind: "read", cxid, consistency: "local", query } as const;
      expect(encodeClientFrame([message]).length).toBeLessThanOrEqual(queryBytes(query));
    }),
  );
});
