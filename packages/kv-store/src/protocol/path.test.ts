import { describe, expect, it } from "vitest";
import { PROTOCOL_LIMITS } from "./limits.ts";
import { checkPath, joinPath, nameOf, parentOf, parsePath } from "./path.ts";

describe("checkPath", () => {
  it.each([
    "/",
    "/a",
    "/a/b c/é/中",
    "/...",
    "/.b",
    "/b.",
    "/..b",
    "/\u200b",
    "/\ufeff",
    "/\ud7ff",
    "/\uf900",
    "/\u{1f600}",
    "/a\u{1f600}b",
    "/quorates",
    `/${"x".repeat(PROTOCOL_LIMITS.nameBytesMax)}`,
    "/x".repeat(PROTOCOL_LIMITS.pathDepthMax),
    `/${"é".repeat(127)}`,
  ])("takes %j", (path) => {
    expect(checkPath(path)).toBeNull();
    expect(parsePath(path)).toEqual({ ok: true, value: path });
  });

  it.each([
    "",
    "a",
    "//",
    "/a/",
    "/a//b",
    "/.",
    "/..",
    "/a/.",
    "/a/../b",
    "/\0",
    "/a\u001f",
    "/\u007f",
    "/\u0085",
    "/\u009f",
    "/\ud800",
    "/\udc00",
    "/\ud83dx",
    "/\ud83d/\ude00",
    "/\ude00\ud83d",
    "/\ue000",
    "/\uf8ff",
    "/\ufff0",
    "/\uffff",
    `/${"x".repeat(PROTOCOL_LIMITS.nameBytesMax + 1)}`,
    `/${"é".repeat(128)}`,
    "/x".repeat(PROTOCOL_LIMITS.pathDepthMax + 1),
    `/${"x".repeat(200)}`.repeat(6),
  ])("refuses %j", (path) => {
    expect(checkPath(path)).toBe("BAD_PATH");
    expect(parsePath(path)).toEqual({ ok: false, code: "BAD_PATH" });
  });

  it("counts UTF-8 bytes of the whole path", () => {
    const component = `/${"é".repeat(127)}`;
    expect(checkPath(`${component.repeat(4)}/x`)).toBeNull();
    expect(checkPath(`${component.repeat(4)}/xxxxx`)).toBe("BAD_PATH");
  });

  it("keeps the reserved part apart", () => {
    expect(checkPath("/quorate")).toBe("RESERVED_PATH");
    expect(checkPath("/quorate/x")).toBe("RESERVED_PATH");
    expect(parsePath("/quorate/x")).toEqual({ ok: false, code: "RESERVED_PATH" });
  });
});

it("takes paths apart and puts them together", () => {
  for (const [path, parent, name] of [
    ["/a", "/", "a"],
    ["/a/b", "/a", "b"],
  ] as const) {
    expect(parentOf(path)).toBe(parent);
    expect(nameOf(path)).toBe(name);
    expect(joinPath(parent, name)).toBe(path);
  }
  expect(parentOf("/")).toBe("/");
  expect(nameOf("/")).toBe("");
});
