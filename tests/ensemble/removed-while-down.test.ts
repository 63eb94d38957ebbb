import { expect, it } from "vitest";
import { Servers } from "./servers.ts";

const SPARE = 3;

it("a member that was removed while it was down learns it, also where all that it has is its log", async () => {
  await using servers = await Servers.start();
  await servers.startNode(SPARE);
  await servers.changeMembers({ kind: "add", name: "4", staysLearner: false });
  await servers.haveVoters("1", "2", "3", "4");
  await servers.stopNode(SPARE);
  await servers.changeMembers({ kind: "remove", name: "4" });
  await servers.haveVoters("1", "2", "3");
  const again = await servers.startNode(SPARE);
  expect(await again.stopped).toMatchObject({
    code: "REMOVED",
    message: expect.stringContaining("quorate member add 4"),
  });
});
