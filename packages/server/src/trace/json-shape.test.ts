import { describe, expect, test } from "vitest";
import {
  anyNumber,
  bytes,
  flag,
  list,
  nullable,
  record,
  ShapeError,
  text,
  union,
  whole,
  type Shape,
} from "./json-shape.ts";

/** Through JSON and back. */
function around<T>(shape: Shape<T>, value: T): T {
  return shape.fromJson(JSON.parse(JSON.stringify(shape.toJson(value))));
}

type Choice = { readonly kind: "none" } | { readonly kind: "some"; readonly of: number };
const choice = union<Choice>({ none: {}, some: { of: anyNumber } });
const count = whole(1, (value) => value);

describe("what survives", () => {
  test.each([0, -0, 1.5, -3, 2 ** 53, Number.NaN, Infinity, -Infinity, 5e-324])(
    "the number %d",
    (value) => {
      expect(around(anyNumber, value)).toBe(value);
    },
  );

  test("bytes, also of a part of a buffer", () => {
    const whole = Uint8Array.from({ length: 256 }, (_, at) => at);
    expect(around(bytes, whole)).toEqual(whole);
    expect(around(bytes, whole.subarray(3, 5))).toEqual(new Uint8Array([3, 4]));
    expect(around(bytes, new Uint8Array())).toEqual(new Uint8Array());
  });

  test("null, lists and kinds", () => {
    const shape = list(nullable(choice));
    const value: readonly (Choice | null)[] = [{ kind: "none" }, null, { kind: "some", of: 3 }];
    expect(around(shape, value)).toEqual(value);
  });
});

describe("what is refused, and where", () => {
  const person = record<{ name: string; isGrown: boolean }>({ name: text, isGrown: flag });
  test.each<readonly [Shape<unknown>, unknown, string]>([
    [anyNumber, "7", '"7" is no number'],
    [count, 0, "0 is no whole number from 1 on"],
    [count, 1.5, "1.5 is no whole number"],
    [bytes, "a", "is no base64"],
    [bytes, "-_==", "is no base64"],
    [flag, 1, "1 is neither true nor false"],
    [list(count), [1, 0], "[1]: 0 is no whole number"],
    [list(count), {}, "{} is no list"],
    [choice, { kind: "other" }, 'kind "other" is unknown'],
    [choice, { kind: "toString" }, 'kind "toString" is unknown'],
    [choice, { kind: "some" }, "of is missing"],
    [choice, { kind: "none", of: 1 }, 'field "of" is unknown'],
    [choice, [], "[] is no object"],
    [person, { name: "a", isGrown: null }, "isGrown: null is neither"],
    [person, { name: "a" }, "isGrown is missing"],
    [person, "x".repeat(100), "…"],
  ])("%#: %j", (shape, json, reason) => {
    expect(() => shape.fromJson(json)).toThrow(ShapeError);
    expect(() => shape.fromJson(json)).toThrow(reason);
  });
});
