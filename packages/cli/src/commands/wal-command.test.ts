import { recoverNode, systemPorts, type LogScanItem } from "@quorate/server";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { leaveStoppedNode } from "../../../../tests/support/stopped-node.ts";
import { tempFolder } from "../../../../tests/support/temp-directory.ts";
import type { CliContext } from "../context.ts";
import { EXIT_CODES } from "../exit-code.ts";
import { runCli } from "../run-cli.ts";
import { itemText, summarize } from "../stored/wal.ts";

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

async function wal(verb: "verify" | "dump", workingDirectory: string, directory: string) {
  let err = "";
  const sink = { isTerminal: false, columns: 80, write: (text: string) => void (err += text) };
  const context = { env: {}, workingDirectory, out: sink, err: sink } as unknown as CliContext;
  return { exit: await runCli(["wal", verb, directory], context), err };
}

describe("a folder without a log", () => {
  test.each(["verify", "dump"] as const)("is damage where its node had one: %s", async (verb) => {
    const folder = tempFolder();
    const node = await leaveStoppedNode(folder);
    const log = join(folder, node, "log");
    rmSync(log, { recursive: true });
    const { exit, err } = await wal(verb, folder, node);
    expect([exit, err]).toEqual([
      EXIT_CODES.damaged,
      expect.stringContaining("there is no segment"),
    ]);
    mkdirSync(log);
    for (const directory of [node, join(node, "log")]) {
      expect((await wal(verb, folder, directory)).exit).toBe(EXIT_CODES.damaged);
    }
    rmSync(log, { recursive: true });
    // A data directory may have any name.
    renameSync(join(folder, node), join(folder, "log"));
    expect((await wal(verb, folder, "log")).exit).toBe(EXIT_CODES.damaged);
  });

  test("is no node's, or of one that has not run yet: wrong usage", async () => {
    const folder = tempFolder();
    const node = await leaveStoppedNode(join(folder, "old"));
    const member = { name: "1", peerAddress: "127.0.0.1:7101", clientAddress: "127.0.0.1:7001" };
    const target = { directory: join(folder, "founded"), member };
    await recoverNode(systemPorts(), join(folder, "old", node), target);
    mkdirSync(join(folder, "other"));
    writeFileSync(join(folder, "other", "file"), "");
    for (const directory of ["founded", "other"]) {
      const { exit, err } = await wal("verify", folder, directory);
      expect([directory, exit, err]).toEqual([
        directory,
        EXIT_CODES.usage,
        expect.stringContaining("there is no log"),
      ]);
    }
  });
});
