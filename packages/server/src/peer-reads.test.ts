import { logIndex, nodeId, type FetchWork } from "@quorate/raft";
import { describe, expect, test } from "vitest";
import { PeerReads } from "./peer-reads.ts";

const ask = (peer: number, from: number): FetchWork => ({
  peer: nodeId(peer),
  from: logIndex(from),
  to: logIndex(from + 9),
  bytesMax: 1000,
});

/** Reads that end when the test says so, and what was begun. */
function setUp() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const reads = new PeerReads(({ peer, from }) => {
    begun.push(`${peer} from ${from}`);
    return new Promise((resolve) => ends.push(resolve));
  });
  const end = async (): Promise<void> => {
    ends.shift()?.();
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  return { begun, reads, end };
}

describe("reads of the log for peers", () => {
  test("are one at a time for each, however often they are asked for", async () => {
    const { begun, reads, end } = setUp();
    for (let time = 0; time < 1000; time += 1) reads.ask(ask(2, 5));
    reads.ask(ask(3, 7));
    expect(begun).toEqual(["2 from 5", "3 from 7"]);
    await end();
    await end();
    expect(begun).toEqual(["2 from 5", "3 from 7"]);
    reads.ask(ask(2, 5));
    expect(begun).toHaveLength(3);
  });

  test("go on with what was asked for last, unless that begins at the same place", async () => {
    const { begun, reads, end } = setUp();
    for (const from of [5, 6, 7]) reads.ask(ask(2, from));
    await end();
    expect(begun).toEqual(["2 from 5", "2 from 7"]);
    for (const from of [8, 7]) reads.ask(ask(2, from));
    await end();
    expect(begun).toHaveLength(2);
    reads.ask(ask(2, 9));
    expect(begun.at(-1)).toBe("2 from 9");
  });
});
