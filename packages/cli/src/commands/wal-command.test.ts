import type { LogScanItem } from "@quorate/server";
import { describe, expect, test } from "vitest";
import { itemText, summarize } from "./wal-command.ts";

const RANGE = { count: 3, firstIndex: 5, firstTerm: 2, lastIndex: 7, lastTerm: 3 };

/** A whole record, changed as a test wants it; its branded numbers have no constructor outside the core. */
function recordWith(changes: object): LogScanItem {
  return JSON.parse(JSON.stringify({ ...PLAIN_RECORD, ...changes }));
}

const PLAIN_RECORD = {
  status: "ok",
  segment: "0000000001.log",
  position: 512,
  bytes: 1024,
  sequence: 7,
  hardState: { term: 3, votedFor: 2 },
  snapshot: null,
  entries: RANGE,
};
const RECORD = recordWith({});
const damage = (status: "torn" | "corrupt"): LogScanItem => ({
  status,
  segment: "0000000002.log",
  position: 1536,
  message: "told by the scan",
});

describe("a log", () => {
  test("is summed up", async () => {
    const findings: LogScanItem[] = [];
    const summary = await summarize(scanOf(RECORD, RECORD, damage("torn")), (item) =>
      findings.push(item),
    );
    expect(summary).toEqual({
      segments: 2,
      records: 2,
      entries: 6,
      bytes: 2048,
      torn: 1,
      corrupt: 0,
      firstIndex: 5,
      lastIndex: 7,
    });
    expect(findings).toEqual([damage("torn")]);
  });

  test("is told record by record", () => {
    expect(itemText(RECORD)).toBe(
      "0000000001.log @512 record 7: 1024 bytes, term 3, vote 2, entries 5-7 (term 2-3)",
    );
    expect(itemText(damage("corrupt"))).toBe("0000000002.log @1536 CORRUPT: told by the scan");
  });
});

async function* scanOf(...items: readonly LogScanItem[]): AsyncGenerator<LogScanItem> {
  yield* items;
}
