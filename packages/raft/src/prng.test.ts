import { expect, test } from "vitest";
import { Prng } from "./prng.ts";

function draw(seed: number, stream: number): readonly number[] {
  const random = new Prng(seed, stream);
  return Array.from({ length: 8 }, () => random.below(1_000_000));
}

test("equal seeds draw alike, other streams and seeds do not", () => {
  expect(draw(1, 1)).toEqual(draw(1, 1));
  expect(draw(1, 1)).not.toEqual(draw(1, 2));
  expect(draw(1, 1)).not.toEqual(draw(2, 1));
  expect(draw(2 ** 40 + 1, 1)).not.toEqual(draw(1, 1));
});

test("values spread over the whole range", () => {
  const random = new Prng(3, 1);
  const counts = [0, 0, 0, 0, 0, 0];
  for (let at = 0; at < 6_000; at += 1) counts[random.below(6)]! += 1;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});

test("a bound has to be positive", () => {
  expect(() => new Prng(1, 1).below(0)).toThrow("prng_bound_positive");
});
