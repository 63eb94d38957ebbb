import { describe, expect, test } from "vitest";
import { CLIENT_POINTS, reached } from "../../packages/client/src/points.ts";
import { PointCounts } from "./point-counts.ts";

const [FIRST, SECOND] = CLIENT_POINTS;

describe("points", () => {
  test("are counted while they are watched, and those never reached are told", () => {
    using points = new PointCounts(["client"]);
    expect([points.reached, points.total]).toEqual([0, CLIENT_POINTS.length]);
    reached(FIRST);
    reached(FIRST);
    reached(SECOND);
    expect(points.missing).toEqual(CLIENT_POINTS.slice(2));
    expect(points.lines("all")).toContain(`2 ${FIRST}`);
    const lines = points.lines("missing");
    expect(lines[0]).toBe("never reached:");
    expect(lines.slice(1, -1).join("").trim().split(/ +/u)).toEqual(CLIENT_POINTS.slice(2));
    expect(lines.every((line) => line.length < 120)).toBe(true);
    expect(lines.at(-1)).toBe(`points: 2 of ${CLIENT_POINTS.length} reached`);
    expect(points.lines("sum")).toEqual([`${lines.at(-1)}; --points lists all`]);
  });

  test("are not counted any more afterwards", () => {
    const points = new PointCounts(["client"]);
    points[Symbol.dispose]();
    reached(FIRST);
    expect(points.reached).toBe(0);
  });
});
