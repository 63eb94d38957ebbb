import { expect, test } from "vitest";
import { goPauses, javaPauses, nodePauses } from "./gc-pauses.ts";

const NODE = `
{"level":40,"time":1,"node":"1","msg":"a peer is slow: 12.3 / 4.5 ms"}
[8552:0x38cafec0]     1106 ms: Scavenge 13.4 (17.7) -> 13.1 (28.9) MB, 1.27 / 0.00 ms  (average mu = 1.000, current mu = 1.000) allocation failure;
[8552:0x38cafec0]     2230 ms: Mark-Compact 38.9 (64.0) -> 34.7 (67.8) MB, 6.50 / 0.00 ms  (+ 60.5 ms in 95 steps since start of marking, biggest step 13.9 ms, walltime since start of marking 359 ms) (average mu = 1.000, current mu = 1.000) finalize incremental marking via stack guard; GC in old space requested
[8552:0x38cafec0]     3230 ms: Mark-Compact (reduce) 38.9 (64.0) -> 34.7 (67.8) MB, pooled: 0 MB, 2.00 / 0.00 ms  (average mu = 1.000, current mu = 1.000) task;
`;

const JAVA = `
[0.006s][info][gc] Using G1
[1.234s][info][gc] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->3M(256M) 2.345ms
[2.000s][info][gc] GC(1) Concurrent Mark Cycle 9.100ms
[2.100s][info][gc] GC(1) Pause Remark 30M->30M(256M) 1.500ms
`;

const GO = `
gc 18 @15.514s 0%: 0.031+1.2+0.004 ms clock, 0.062+0.5/0.9/0.1+0.009 ms cpu, 4->4->2 MB, 5 MB goal, 2 P
gc 19 @16.001s 1%: 0.5+120+2.5 ms clock, 1.0+0.5/0.9/0.1+5 ms cpu, 4->4->2 MB, 5 MB goal, 2 P
{"level":"warn","msg":"apply request took too long","took":"120.5ms"}
`;

test("Node's pauses, steps of incremental marking among them", () => {
  expect(nodePauses(NODE)).toEqual([
    { longestMs: 1.27, totalMs: 1.27 },
    { longestMs: 13.9, totalMs: 67 },
    { longestMs: 2, totalMs: 2 },
  ]);
});

test("Java's pauses without what runs beside the program", () => {
  expect(javaPauses(JAVA)).toEqual([
    { longestMs: 2.345, totalMs: 2.345 },
    { longestMs: 1.5, totalMs: 1.5 },
  ]);
});

test("Go's two stops of each collection", () => {
  expect(goPauses(GO)).toEqual([
    { longestMs: 0.031, totalMs: 0.035 },
    { longestMs: 2.5, totalMs: 3 },
  ]);
});
