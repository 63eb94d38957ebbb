import type { QuorateClient } from "@quorate/client";
import { expect } from "vitest";
import { checkHistory } from "../linearizability/checker.ts";
import {
  measureHistory,
  missingStrength,
  type HistoryStrength,
} from "../linearizability/history-strength.ts";
import { operationsByPath, type HistoryRecord } from "../linearizability/history.ts";
import { present, type RegisterState } from "../linearizability/register-model.ts";
import { findSessionDisorder } from "../linearizability/session-order.ts";
import { checkWitness } from "../linearizability/witness.ts";

/** How every register of a workload begins. */
const initial = (): RegisterState => present("0", 0);

/**
 * Everything a history of registers must show: enough happened to prove something, it is linearizable by search and by
 * zxid, sessions kept their order, and every acknowledged write took effect exactly once. Returns its strength.
 */
export async function verifyHistory(
  name: string,
  history: readonly HistoryRecord[],
  minimums: Partial<HistoryStrength>,
  reader: QuorateClient,
): Promise<HistoryStrength> {
  const strength = measureHistory(history);
  console.log(`${name}: ${JSON.stringify(strength)}`);
  expect(missingStrength(strength, minimums)).toEqual([]);
  const complete = [...history, ...(await finalReads(history, reader))];
  expect(checkWitness(complete, initial)).toMatchObject({ kind: "ok" });
  expect(findSessionDisorder(history)).toBeNull();
  expect(findLostOrDoubled(complete)).toEqual([]);
  const result = checkHistory(complete, { initial });
  expect(result.kind === "violation" ? result.explanation : result.kind).toBe("ok");
  return strength;
}

/** What a client that had no part in it reads at the end. */
async function finalReads(
  history: readonly HistoryRecord[],
  reader: QuorateClient,
): Promise<readonly HistoryRecord[]> {
  const paths = [...operationsByPath(history).keys()];
  return Promise.all(
    paths.map(async (path, index): Promise<HistoryRecord> => {
      const invokedMs = performance.now();
      const { data, stat } = await reader.get(path);
      const observed = { value: new TextDecoder().decode(data), version: stat.version };
      return {
        kind: "operation",
        client: FINAL_READER,
        sequence: index,
        path,
        operation: { kind: "get" },
        outcome: { kind: "ok", observed, zxid: stat.mzxid },
        invokedMs,
        returnedMs: performance.now(),
      };
    }),
  );
}

const FINAL_READER = -1;

/**
 * Every write raises its register's version by one, so with nothing unknown the acknowledged versions of a path are
 * 1, 2, 3 … up to what is read at the end, each once. Names what is not so.
 */
function findLostOrDoubled(history: readonly HistoryRecord[]): readonly string[] {
  return [...operationsByPath(history)].flatMap(([path, operations]) => {
    const versions: number[] = [];
    let last = 0;
    let unknown = 0;
    for (const { operation, outcome } of operations) {
      if (outcome.kind === "unknown" && operation.kind !== "get") unknown += 1;
      if (outcome.kind !== "ok" || outcome.observed === null) continue;
      last = Math.max(last, outcome.observed.version);
      if (operation.kind !== "get") versions.push(outcome.observed.version);
    }
    const distinct = new Set(versions).size;
    if (distinct !== versions.length) return [`${path}: two writes were given one version`];
    const missing = last - distinct;
    return missing < 0 || missing > unknown
      ? [`${path}: ${distinct} writes were acknowledged, the last version is ${last}`]
      : [];
  });
}
