import { expect, test } from "vitest";
import { adviceToFit } from "./replicated-limits.ts";

const LIMITS = { bytesMax: 1_000, sessionsMax: 10, sessionEphemeralsMax: 5 };

test("who differs in what no flag sets is told of no flags", () => {
  const other = { ...LIMITS, sessionsMax: 11 };
  expect(adviceToFit("it", other, LIMITS)).toBe("; to fit, start it with --sessions-max 10");
  expect(adviceToFit("it", { ...other, sessionEphemeralsMax: 6 }, LIMITS)).toBe("");
});
