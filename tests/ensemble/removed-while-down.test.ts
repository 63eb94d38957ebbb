import { expect, it } from "vitest";
import { Servers, until } from "./servers.ts";

const SPARE = 3;

it("a member that was removed while it was down learns it, also where all that it has is its log", async () => {
  await using servers = await Servers.start();
  await servers.startNode(SPARE);
  await change(servers, { kind: "add", name: "4", staysLearner: false });
  await until(() => servers.node(SPARE).status().membership?.voters.length === 4);
  await servers.stopNode(SPARE);
  await change(servers, { kind: "remove", name: "4" });
  const again = await servers.startNode(SPARE);
  expect(await again.stopped).toMatchObject({
    code: "REMOVED",
    message: expect.stringContaining("quorate member add 4"),
  });
});

type Change = Parameters<ReturnType<Servers["node"]>["changeMembers"]>[0];

/** Until all founders have applied it. */
async function change(servers: Servers, command: Change): Promise<void> {
  await until(() => servers.leader >= 0);
  servers.node(servers.leader).changeMembers(command);
  const isThere = command.kind === "add";
  await until(() =>
    [0, 1, 2].every((at) => {
      const { membership } = servers.node(at).status();
      return membership?.voters.length === (isThere ? 4 : 3) && membership.learners.length === 0;
    }),
  );
}
