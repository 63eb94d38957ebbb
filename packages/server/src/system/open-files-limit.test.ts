import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { openFilesLimit, readOpenFilesLimit } from "./open-files-limit.ts";

const limits = (soft: string): string =>
  [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max processes             63427                63427                processes ",
    `Max open files            ${soft.padEnd(20)} 524288               files     `,
    "Max locked memory         8388608              8388608              bytes     ",
  ].join("\n");

test("is the soft limit, which Node has raised as far as it may", () => {
  expect(readOpenFilesLimit(limits("1024"))).toBe(1024);
});

test("is not known where there is none, or nothing is said", () => {
  expect(readOpenFilesLimit(limits("unlimited"))).toBeNull();
  expect(readOpenFilesLimit("")).toBeNull();
});

test("is what a shell of this process says, too", () => {
  const said = execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
  const isKnown = process.platform === "linux" && said !== "unlimited";
  expect(openFilesLimit()).toBe(isKnown ? Number(said) : null);
});
