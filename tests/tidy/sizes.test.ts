import { describe, expect, test } from "vitest";
import { productFiles, sourceFiles } from "./source-files.ts";

const FILE_LINES_MAX = 500;
const MEDIAN_LINES_MAX = 150;

const lineCount = (text: string): number => text.split("\n").length - 1;

describe("sizes", () => {
  test(`no file is longer than ${FILE_LINES_MAX} lines`, () => {
    const long = sourceFiles("packages", "tests", "bench")
      .filter(({ text }) => lineCount(text) > FILE_LINES_MAX)
      .map(({ path, text }) => `${path}: ${lineCount(text)} lines, split it by concept`);
    expect(long).toEqual([]);
  });

  test(`the median file stays below ${MEDIAN_LINES_MAX} lines`, () => {
    const counts = productFiles()
      .map(({ text }) => lineCount(text))
      .toSorted((a, b) => a - b);
    expect(counts[counts.length >> 1]).toBeLessThanOrEqual(MEDIAN_LINES_MAX);
  });
});
