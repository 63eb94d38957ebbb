import { expect, test } from "vitest";
import { compareReadBack, filledMarks, newestOf } from "./read-back.ts";

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

test("what was filled in counts with any revision, until it is written again", () => {
  const filled = filledMarks({ from: 1, to: 4 }, [50, 51]);
  expect(filled).toEqual([
    [1, 0, 51],
    [2, 0, 50],
    [3, 0, 51],
  ]);
  const acknowledged = newestOf([filled, [[2, 9, 90]]]);
  const others = [
    [1, 3, 51],
    [3, 4, 51],
  ] as const;
  expect(compareReadBack(acknowledged, [...others, [2, 9, 90]])).toBeNull();
  expect(compareReadBack(acknowledged, [...others, [2, 1, 50]])).toContain("1 are lost");
  expect(compareReadBack(filled, [...others, [2, 1, 77]])).toContain("1 are others");
});
