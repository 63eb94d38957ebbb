import type { Stat, WriteReply } from "@quorate/kv-store/protocol";
import { expect, expectTypeOf, test } from "vitest";
import { STAT } from "../../../tests/support/client/fixtures.ts";
import { openClient } from "../../../tests/support/client/open-client.ts";
import { fencingToken, zxid, type CallOptions, type MultiOp } from "./index.ts";

const GUARD = { kind: "guard", path: "/l", token: fencingToken(5) } as const;

test("a multi that is written out has answers of the kinds of its ops", async () => {
  const { net, client, connection } = await openClient();
  const writing = client.multi([
    { kind: "create", path: "/a" },
    { kind: "set", path: "/b", data: "x" },
    GUARD,
  ]);
  await net.clock.settle();
  connection.reply(
    1,
    101,
    { kind: "create", path: "/a", stat: STAT },
    { kind: "set", stat: STAT },
    { kind: "guard" },
  );
  const [created, set, guarded] = await writing;
  expectTypeOf(created.path).toEqualTypeOf<string>();
  expectTypeOf(set.stat).toEqualTypeOf<Stat>();
  expectTypeOf(guarded.kind).toEqualTypeOf<"guard">();
  expect(created.path).toBe("/a");
  const ops: MultiOp[] = [GUARD];
  expectTypeOf(client.multi(ops)).resolves.toEqualTypeOf<readonly WriteReply[]>();
  expectTypeOf(client.multi([GUARD, ...ops])).resolves.toExtend<readonly WriteReply[]>();
});

test("options may be passed on as they came, and kept revisions come back as ids", async () => {
  const { net, client, connection } = await openClient();
  const passOn = (options: { signal?: AbortSignal | undefined }): CallOptions => ({
    signal: options.signal,
    timeoutMs: undefined,
  });
  void client.get("/a", passOn({}));
  void client.create("/a", "", { ...passOn({}), mode: undefined });
  void client.set("/a", "", { version: undefined });
  void client.watch("/a", { mode: undefined, withData: undefined, sinceZxid: undefined });
  void client.watch("/a", { sinceZxid: client.lastZxid });
  void client.watch("/a", { sinceZxid: 0 });
  void client.watch("/a", { sinceZxid: zxid(Number("90")) });
  await net.clock.settle();
  const messages = connection.take();
  const since = messages.flatMap((one) => (one.kind === "addWatch" ? [one.sinceZxid] : []));
  expect(since).toEqual([null, 100, 0, 90]);
  expect(messages.filter(({ kind }) => kind === "write")).toMatchObject([
    { ops: [{ mode: "persistent" }] },
    { ops: [{ version: null }] },
  ]);
});
