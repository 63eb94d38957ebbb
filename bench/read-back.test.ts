import { expect, test } from "vitest";
import { compareReadBack, newestOf } from "./read-back.ts";

test("the newest of a path counts, over all drivers", () => {
  expect(newestOf([[[1, 5, 50]], [[1, 7, 70]], [[2, 6, 60]]])).toEqual([
    [1, 7, 70],
    [2, 6, 60],
  ]);
});

test("everything as acknowledged is well", () => {
  expect(
    compareReadBack(
      [[1, 7, 70]],
      [
        [1, 7, 70],
        [2, 1, 1],
      ],
    ),
  ).toBeNull();
});

test.each([
  ["missing", [], "1 are lost and 0 are others"],
  ["older", [[1, 6, 70]], "1 are lost and 0 are others"],
  ["of another value", [[1, 7, 71]], "0 are lost and 1 are others"],
  ["newer than anything acknowledged", [[1, 8, 80]], "0 are lost and 1 are others"],
] as const)("a value that is %s is not", (_, found, expected) => {
  expect(compareReadBack([[1, 7, 70]], found)).toContain(expected);
});
