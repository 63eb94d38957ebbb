import { connect } from "@quorate/client";
import { type WriteOp, writeSeq } from "@quorate/kv-store/protocol";
import { expect, onTestFinished, test } from "vitest";
import { RawConnection } from "../e2e/raw-connection.ts";
import { Servers, until } from "./servers.ts";

const TREE_BYTES_MAX = 5_000_000;
const HOLDERS = 40;

/** Writes of `count` ops that acknowledge nothing, from number `from` on, until one is refused; returns its number. */
async function writeUntilRefused(
  holder: RawConnection,
  from: number,
  count: number,
): Promise<number> {
  const op: WriteOp = { kind: "check", path: "/", version: null };
  const ops = Array.from({ length: count }, () => op);
  for (let seq = from; ; seq += 1) {
    holder.received.length = 0;
    holder.send({ kind: "write", writeSeq: writeSeq(seq), ackedSeq: 0, ops });
    await until(() => holder.received.length > 0);
    const [answer] = holder.received;
    if (answer?.kind === "writeReply") continue;
    expect(answer).toMatchObject({ kind: "refused", fromSeq: seq, code: "OVERLOADED" });
    return seq;
  }
}

test("clients go on while others hold all the room there is for replies", async () => {
  await using servers = await Servers.start({ treeBytesMax: TREE_BYTES_MAX });
  const [server = ""] = servers.clients;
  const holders = await Promise.all(
    Array.from({ length: HOLDERS }, () => RawConnection.openSession(server, 60_000)),
  );
  onTestFinished(() => {
    for (const holder of holders) holder.close();
  });
  const next = new Map(holders.map((holder) => [holder, 1]));
  for (const count of [1024, 64, 8]) {
    for (const holder of holders) {
      next.set(holder, await writeUntilRefused(holder, next.get(holder) ?? 1, count));
    }
  }
  // A quarter of the tree's bytes, what is each session's own, and the sessions.
  const most = TREE_BYTES_MAX / 4 + HOLDERS * (4_096 + 2_000) + 300_000;
  expect(servers.node(0).status().treeBytes).toBeLessThan(most);
  await using client = await connect({ servers: servers.clients, sessionTimeoutMs: 10_000 });
  await client.create("/a", "1");
  // Far more at once than there is room for: what is refused goes out again with what was acknowledged meanwhile.
  await Promise.all(Array.from({ length: 100 }, () => client.set("/a", "2")));
  expect((await client.get("/a"))?.stat.version).toBe(100);
  await client.delete("/a");
  // Too much for what is left: there is room for it at the latest when the holders are gone.
  const large = client.multi(
    Array.from({ length: 1024 }, (_, at) => ({ kind: "create", path: `/b${at}` }) as const),
  );
  for (const holder of holders) holder.send({ kind: "closeSession", cxid: 1 });
  await large;
  expect(await client.exists("/b1023")).not.toBeNull();
  await servers.agree();
});
