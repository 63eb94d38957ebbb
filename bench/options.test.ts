import { expect, test } from "vitest";
import { parseOptions } from "./options.ts";
import { WORKLOADS } from "./workloads.ts";

test("by default everything is run, three rounds, beside all peers", () => {
  expect(parseOptions([])).toMatchObject({
    peers: ["zookeeper", "etcd", "etcd3"],
    workloads: WORKLOADS,
    rounds: 3,
    isQuick: false,
    out: null,
    isResumed: false,
  });
});

test("workloads and peers can be chosen, and one round with --quick", () => {
  const options = parseOptions(["--only", "set-1x1,set-64x4", "--peers", "etcd", "--quick"]);
  expect(options?.workloads.map(({ id }) => id)).toEqual(["set-1x1", "set-64x4"]);
  expect(options).toMatchObject({ peers: ["etcd"], rounds: 1 });
  expect(parseOptions(["--peers", "none"])?.peers).toEqual([]);
});

test.each([
  [["--rounds", "2"], "a whole number from 3"],
  [["--quick", "--rounds", "0"], "a whole number from 1"],
  [["--rounds", "many"], "a whole number"],
  [["--peers", "consul"], "there is no peer consul"],
  [["--resume"], "--resume needs --out"],
  [["--only", "set-1x2"], "there is no workload set-1x2"],
])("%j is refused", (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
});

test("a workload that is named twice is run once", () => {
  const options = parseOptions(["--only", "set-1x1,get-lin-1x1,set-1x1"]);
  expect(options?.workloads.map(({ id }) => id)).toEqual(["set-1x1", "get-lin-1x1"]);
});

test("no two workloads share a name", () => {
  const ids = WORKLOADS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
