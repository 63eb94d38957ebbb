import { expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { withRemovalAdvice } from "./removal-advice.ts";

test("whoever is no member any more is told what happened, and how to come back", () => {
  const error = new ServerError("REMOVED", "this node was removed from the ensemble");
  expect(withRemovalAdvice(error, "4")).toMatchObject({
    code: "REMOVED",
    message: expect.stringMatching(/this node was removed.*--join.*member add 4`$/),
    cause: error,
  });
});

test("whatever else ends a node stays as it is", () => {
  const error = new ServerError("IDENTITY_REFUSED", "another node has its name");
  expect(withRemovalAdvice(error, "4")).toBe(error);
});
