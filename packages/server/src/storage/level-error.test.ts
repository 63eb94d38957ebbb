import { describe, expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { levelError, type LevelWork } from "./level-error.ts";

/** As `level` rejects: with the reason as the cause where it could not be opened. */
function failed(text: string, code = "LEVEL_IO_ERROR"): Error {
  return Object.assign(new Error(text), { code });
}

const codeOf = (text: string, work: LevelWork, code?: string): string =>
  levelError("work", failed(text, code), work).code;

const TABLE = "IO error: /data/image-1/000005.ldb: ";

describe("an error of LevelDB", () => {
  test.each([
    [`${TABLE}Invalid argument`, "opening", "IMAGE_CORRUPT"],
    [`${TABLE}Invalid argument`, "reading", "IMAGE_CORRUPT"],
    // A compaction came upon it.
    [`${TABLE}Invalid argument`, "writing", "IMAGE_CORRUPT"],
    [`${TABLE}No such file or directory`, "reading", "IMAGE_CORRUPT"],
    ["IO error: /i/MANIFEST-000004: No such file or directory", "opening", "IMAGE_CORRUPT"],
    [`${TABLE}Input/output error`, "reading", "IMAGE_CORRUPT"],
    [`${TABLE}I/O error`, "reading", "IMAGE_CORRUPT"],
    // What is there was read before it is opened: this is something that could not be written.
    ["IO error: /i/MANIFEST-000009: Input/output error", "opening", "STORAGE_FAILED"],
    ["IO error: /i/000006.log: Input/output error", "writing", "STORAGE_FAILED"],
    [`${TABLE}No such file or directory`, "creating", "STORAGE_FAILED"],
    [`${TABLE}Too many open files`, "reading", "STORAGE_FAILED"],
    [`${TABLE}Too many open files in system`, "opening", "STORAGE_FAILED"],
    [`${TABLE}Permission denied`, "opening", "STORAGE_FAILED"],
    [`${TABLE}Cannot allocate memory`, "reading", "STORAGE_FAILED"],
    // Of the directory: a file system that does not sync those.
    ["IO error: /data/image-1: Invalid argument", "opening", "STORAGE_FAILED"],
    [`${TABLE}No space left on device`, "writing", "STORAGE_FULL"],
    [`${TABLE}Disk quota exceeded`, "opening", "STORAGE_FULL"],
    // A path may say anything.
    ["IO error: /a: Invalid argument/LOCK: Permission denied", "opening", "STORAGE_FAILED"],
  ] as const)("%s, %s: %s", (text, work, code) => {
    expect(codeOf(text, work)).toBe(code);
  });

  test("that finds what it reads damaged says so, whatever it was doing", () => {
    const text = "Corruption: bad block handle";
    for (const work of ["opening", "reading", "writing"] as const) {
      expect(codeOf(text, work, "LEVEL_CORRUPTION")).toBe("IMAGE_CORRUPT");
    }
  });

  test("is looked at through what `level` wraps it in", () => {
    const cause = failed(`${TABLE}Invalid argument`);
    const wrapped = Object.assign(new Error("Database failed to open", { cause }), {
      code: "LEVEL_DATABASE_NOT_OPEN",
    });
    expect(levelError("open it", wrapped, "opening")).toMatchObject({
      code: "IMAGE_CORRUPT",
      text: `open it: ${TABLE}Invalid argument`,
    });
  });

  test("is none if it is of this package", () => {
    const error = new ServerError("STOPPED", "closed");
    expect(levelError("read", error, "reading")).toBe(error);
  });
});
