import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dataPreview, dataText } from "./data-text.ts";
import { isoTime } from "./stat-text.ts";
import { formatTable } from "./table.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("data", () => {
  test("that are readable stay as they are", () => {
    expect(dataText(bytes("grüße\n\tüber 界"))).toEqual({
      text: "grüße\n\tüber 界",
      encoding: "utf8",
    });
    expect(dataText(bytes("\u{feff}with mark")).text).toBe("\u{feff}with mark");
    expect(dataText(new Uint8Array())).toEqual({ text: "", encoding: "utf8" });
  });

  test.each([
    ["bytes that are no UTF-8", new Uint8Array([0xff, 0xfe])],
    ["a zero", bytes("a\u0000b")],
    ["a terminal's escape", bytes("\u001b[31mred")],
    ["a control of the second set", bytes("\u009b31m")],
  ])("with %s become base64", (_, data) => {
    expect(dataText(data)).toEqual({
      text: Buffer.from(data).toString("base64"),
      encoding: "base64",
    });
  });

  test("come back from what was printed, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
        const { text, encoding } = dataText(data);
        expect(new Uint8Array(Buffer.from(text, encoding))).toEqual(data);
      }),
    );
  });

  test("are cut to one line for previews", () => {
    expect(dataPreview(bytes("a\nb"), 20)).toBe('"a\\nb"');
    expect(dataPreview(bytes("x".repeat(100)), 10)).toBe(`"${"x".repeat(8)}…`);
    expect(dataPreview(new Uint8Array([255]), 20)).toBe("base64:/w==");
  });
});

describe("tables", () => {
  test("align their columns and end no line with blanks", () => {
    const table = formatTable(
      ["name", "size"],
      [
        ["a", 1],
        ["longer", 22],
      ],
    );
    expect(table).toBe("NAME    SIZE\na       1\nlonger  22\n");
  });

  test("without rows are their head", () => {
    expect(formatTable(["name"], [])).toBe("NAME\n");
  });
});

describe("times", () => {
  test("are UTC, and numbers where there is no such date", () => {
    expect(isoTime(0)).toBe("1970-01-01T00:00:00.000Z");
    expect(isoTime(1e17)).toBe("100000000000000000");
  });
});
