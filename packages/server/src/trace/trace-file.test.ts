import { describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { MemoryFiles } from "../memory/memory-files.ts";
import { TraceFile } from "./trace-file.ts";
import { TRACE_MAGIC, type TraceEnd } from "./trace-line.ts";

const PATH = "/traces/core.trace";
const HEAD = `${TRACE_MAGIC}1}\n`;
const STOPPED = '{"end":"stopped"}\n';
const FULL = '{"end":"full"}\n';

function setUp(bytesMax = 1_000_000, files = new MemoryFiles()) {
  const clock = new ManualClock();
  const ends: (TraceEnd | Error)[] = [];
  const onEnded = (reason: TraceEnd | Error): void => void ends.push(reason);
  const trace = new TraceFile({ files, clock, path: PATH, bytesMax, onEnded });
  const content = async (path = PATH): Promise<string> =>
    new TextDecoder().decode((await files.readWhole(path)) ?? new Uint8Array());
  return { clock, files, ends, trace, content };
}

const line = (bytes: number): string => `${"x".repeat(bytes - 1)}\n`;

describe("a trace on disk", () => {
  test("holds what was written, in order, and says that it was closed", async () => {
    const { trace, content, ends } = setUp();
    trace.begin([HEAD, "first\n"]);
    trace.write("second\n");
    trace.write("third\n");
    await trace.close();
    await trace.close();
    expect(await content()).toBe(`${HEAD}first\nsecond\nthird\n${STOPPED}`);
    expect(ends).toEqual([]);
  });

  test("is written after a moment, and at once when much has gathered", async () => {
    const { trace, content, clock } = setUp();
    trace.begin([HEAD]);
    await settled();
    trace.write("second\n");
    await settled();
    expect(await content()).toBe(HEAD);
    clock.advance(100);
    await settled();
    expect(await content()).toBe(`${HEAD}second\n`);
    trace.write(line(300_000));
    await settled();
    expect(await content()).toBe(`${HEAD}second\n${line(300_000)}`);
    await trace.close();
  });

  test("keeps the two before it, and no others", async () => {
    const { files, content } = setUp();
    for (const name of ["a", "b", "c", "d"]) {
      const { trace } = setUp(1_000_000, files);
      trace.begin([HEAD, `${name}\n`]);
      await trace.close();
    }
    expect(await content()).toContain("d\n");
    expect(await content(`${PATH}.1`)).toContain("c\n");
    expect(await content(`${PATH}.2`)).toContain("b\n");
    expect(await files.list("/traces")).toHaveLength(3);
  });

  test("takes the place of an empty one, but of nothing else that is there", async () => {
    const { files } = setUp();
    await files.makeDirectory("/traces");
    const file = await files.open(PATH, { create: true, durable: false });
    const first = setUp(1_000_000, files);
    first.trace.begin([HEAD]);
    await first.trace.close();
    expect(first.ends).toEqual([]);
    await file.close();

    const other = new TextEncoder().encode("letters\n");
    await files.remove(PATH);
    const letters = await files.open(PATH, { create: true, durable: false });
    await letters.write(0, other);
    await letters.close();
    const second = setUp(1_000_000, files);
    second.trace.begin([HEAD]);
    await second.trace.close();
    expect(second.ends).toEqual([expect.objectContaining({ code: "STORAGE_FAILED" })]);
    expect(await second.content()).toBe("letters\n");
  });

  test("that cannot be begun says which file to name", async () => {
    const { files, trace, ends } = setUp();
    files.failNext("makeDirectory", new ServerError("STORAGE_FAILED", "make directory: EACCES"));
    trace.begin([HEAD]);
    await trace.close();
    expect(ends).toEqual([
      expect.objectContaining({
        code: "STORAGE_FAILED",
        text: expect.stringMatching(/EACCES; name another file with --trace, in a folder that /),
      }),
    ]);
  });
});

describe("the end of a trace", () => {
  test("at its bound is said once, and nothing follows", async () => {
    const { trace, content, ends } = setUp(1_000);
    trace.begin([HEAD]);
    await settled();
    for (let count = 0; count < 20; count += 1) trace.write(line(100));
    expect(trace.isOver).toBe(true);
    await trace.close();
    const text = await content();
    expect(text.length).toBeLessThanOrEqual(1_000);
    expect(text.length).toBeGreaterThan(800);
    expect(text.endsWith(`x\n${FULL}`)).toBe(true);
    expect(ends).toEqual(["full"]);
  });

  test("within its first lines leaves out what came later", async () => {
    const { trace, content, ends } = setUp(1_000);
    trace.begin([HEAD, line(600), line(600)]);
    trace.write("later\n");
    await trace.close();
    expect(await content()).toBe(`${HEAD}${line(600)}${FULL}`);
    expect(ends).toEqual(["full"]);
  });

  test("comes when the disk does not keep up", async () => {
    const { trace, content, ends, files } = setUp(1_000_000_000);
    const held = files.holdNext("write");
    trace.begin([HEAD]);
    await held.reached;
    for (let count = 0; count < 40; count += 1) trace.write(line(1_048_576));
    expect(trace.isOver).toBe(true);
    expect(ends).toEqual(["behind"]);
    held.release();
    await trace.close();
    expect((await content()).endsWith('x\n{"end":"behind"}\n')).toBe(true);
  });

  test.each(["makeDirectory", "open", "write"] as const)(
    "comes when %s fails, and whoever records goes on",
    async (operation) => {
      const { trace, ends, files } = setUp();
      files.failNext(operation, new ServerError("STORAGE_FULL", "no room"));
      trace.begin([HEAD]);
      trace.write("second\n");
      await settled();
      expect(trace.isOver).toBe(true);
      trace.write("third\n");
      await trace.close();
      expect(ends).toEqual([expect.objectContaining({ code: "STORAGE_FULL" })]);
    },
  );
});

/** Lets promises that are settled already have their say. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}
