import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fakeSystem } from "./fake/fake-system.ts";
import { Journal, refuseResume, type JournalHead } from "./journal.ts";
import { summarize } from "./report/report.ts";
import { runRounds, type FinishedRun, type RoundsOptions } from "./run-rounds.ts";
import { NOTHING } from "./run/outcome.ts";
import type { LoadWorkload } from "./workloads.ts";

const HEAD: JournalHead = { machine: { cpu: "a", cores: 2 }, settings: { rounds: 3 } };

const READS: LoadWorkload = {
  kind: "load",
  id: "reads",
  operation: "get-local",
  sessions: 1,
  depth: 1,
  paths: 10,
  bytes: 16,
  ratePerSecond: 0,
  nodes: 1,
};

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "quorate-journal-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function run(commit: string, throughput = 1): FinishedRun {
  const outcome = { ...NOTHING, metrics: { throughput } };
  const when = { round: 1, at: "2026-01-01T00:00:00.000Z", elapsedMs: 5 };
  return { workload: "w", system: "quorate", ...when, commit, outcome };
}

test("a journal gives back what was written, without a line that was broken off", () => {
  const journal = new Journal(join(directory(), "out.json"));
  expect(journal.exists()).toBe(false);
  journal.begin(HEAD);
  journal.append(run("a", 1));
  journal.append(run("a", Number.NaN));
  appendFileSync(journal.file, '{"workload":"w","sys');
  const { head, runs } = journal.read();
  expect(head).toEqual(HEAD);
  expect(runs).toEqual([run("a", 1), run("a", Number.NaN)]);
  journal.append(run("a", 3));
  expect(journal.read().runs).toHaveLength(3);
  expect(readFileSync(journal.file, "utf8").split("\n")).toHaveLength(5);
  journal.remove();
  expect(journal.exists()).toBe(false);
});

test("a journal that is there is not written over, and nothing else is taken for one", () => {
  const journal = new Journal(join(directory(), "out.json"));
  journal.begin(HEAD);
  expect(() => journal.begin(HEAD)).toThrow("EEXIST");
  journal.remove();
  appendFileSync(journal.file, "hello\n");
  expect(() => journal.read()).toThrow("is no journal");
});

test("runs go on on the same machine, with the same settings, on the same commit", () => {
  const content = { head: HEAD, runs: [run("a"), run("a")] };
  const now = { head: HEAD, commit: "a", isAnyCommit: false };
  expect(refuseResume(content, now)).toBeNull();
  const elsewhere = { ...HEAD, machine: { cpu: "b", cores: 2 } };
  expect(refuseResume(content, { ...now, head: elsewhere })).toContain("another machine");
  const otherwise = { ...HEAD, settings: { rounds: 4 } };
  expect(refuseResume(content, { ...now, head: otherwise })).toContain("other settings");
  expect(refuseResume(content, { ...now, commit: "b" })).toMatch(/runs of commit a, and this is b/);
  const mixed = { ...content, runs: [run("a"), run("b")] };
  expect(refuseResume(mixed, now)).toContain("runs of commit b");
  expect(refuseResume(mixed, { ...now, isAnyCommit: true })).toBeNull();
  const both = { ...now, head: otherwise, isAnyCommit: true };
  expect(refuseResume(mixed, both)).toContain("other settings");
});

function roundsIn(dataDirectory: string, changes: Partial<RoundsOptions>): RoundsOptions {
  return {
    workloads: [READS],
    systems: [fakeSystem("quorate"), fakeSystem("peer")],
    rounds: 2,
    settings: {
      dataDirectory,
      warmUpMs: 20,
      measureMs: 60,
      repetitionsMax: 1,
      driverCpuShareMax: Number.POSITIVE_INFINITY,
    },
    commit: () => "first",
    onProgress: () => undefined,
    ...changes,
  };
}

test("a benchmark that was broken off goes on after its last finished run", async () => {
  const path = directory();
  const journal = new Journal(join(path, "out.json"));
  journal.begin(HEAD);
  const broken = runRounds(
    roundsIn(path, {
      onFinished: (finished) => {
        journal.append(finished);
        if (finished.round === 2) throw new Error("broken off");
      },
    }),
  );
  await expect(broken).rejects.toThrow("broken off");
  const before = journal.read().runs;
  expect(before.map(({ system, round }) => `${system} ${round}`)).toEqual([
    "quorate 1",
    "peer 1",
    "peer 2",
  ]);
  const told: string[] = [];
  const runs = await runRounds(
    roundsIn(path, {
      finished: before,
      commit: () => "second",
      onFinished: (finished) => journal.append(finished),
      onProgress: (line) => told.push(line),
    }),
  );
  expect(told.map((line) => line.split(":")[0])).toEqual(["4/4 round 2 reads quorate"]);
  expect(runs.slice(0, 3)).toEqual(before);
  expect(runs.map(({ commit }) => commit)).toEqual(["first", "first", "first", "second"]);
  expect(Date.parse(runs[3]?.at ?? "")).toBeGreaterThan(Date.parse(before[2]?.at ?? ""));
  expect(journal.read().runs).toEqual(runs);
  const throughput = summarize(runs, { workloads: [READS], measureMs: 60 }).filter(
    ({ metric }) => metric === "throughput",
  );
  expect(throughput.map(({ rounds }) => rounds.length)).toEqual([2, 2]);
});

test("runs of another plan are not gone on from", async () => {
  const options = roundsIn(directory(), { finished: [run("first")] });
  await expect(runRounds(options)).rejects.toThrow("none of this plan");
});

test("a run that was taken out is made again, and none may be there twice", async () => {
  const path = directory();
  const all = await runRounds(roundsIn(path, {}));
  const kept = all.filter((_, at) => at !== 1);
  const told: string[] = [];
  const onProgress = (line: string): number => told.push(line);
  const again = await runRounds(roundsIn(path, { finished: kept, onProgress }));
  expect(told.map((line) => line.split(":")[0])).toEqual(["4/4 round 1 reads peer"]);
  expect(again).toHaveLength(4);
  const twice = roundsIn(path, { finished: [...kept, ...kept.slice(0, 1)] });
  await expect(runRounds(twice)).rejects.toThrow("twice: reads quorate 1");
});
