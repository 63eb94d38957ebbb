import { connect, type QuorateClient, type WatchNotice } from "@quorate/client";
import { startEnsemble, type Ensemble } from "@quorate/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

async function take(
  notices: AsyncIterator<WatchNotice>,
  count: number,
): Promise<readonly string[]> {
  const seen: string[] = [];
  while (seen.length < count) {
    const next = await notices.next();
    if (next.done === true) break;
    const notice = next.value;
    seen.push(notice.type === "event" ? `${notice.kind} ${notice.path}` : "lost");
  }
  return seen;
}

describe("sessions, watches, locks and elections", () => {
  let ensemble: Ensemble;
  let client: QuorateClient;
  let other: QuorateClient;

  beforeAll(async () => {
    ensemble = await startEnsemble();
    client = await connect({ servers: ensemble.servers });
    other = await connect({ servers: ensemble.servers });
  });

  afterAll(async () => {
    await client.close();
    await other.close();
    await ensemble.stop();
  });

  it("removes ephemerals with their session", async () => {
    const short = await connect({ servers: ensemble.servers });
    await short.create("/ephemeral", "", { mode: "ephemeral" });
    expect((await client.exists("/ephemeral"))?.ephemeralOwner).toBe(short.session);
    await short.close();
    expect(await client.exists("/ephemeral")).toBeNull();
  });

  it("tells persistent and recursive watches", async () => {
    await client.create("/watched");
    await using own = await client.watch("/watched");
    await using all = await client.watch("/watched", { mode: "recursive" });
    await other.create("/watched/a", "1");
    await other.set("/watched/a", "2");
    await other.set("/watched", "3");
    await other.delete("/watched/a");
    expect(await take(own[Symbol.asyncIterator](), 3)).toEqual([
      "childrenChanged /watched",
      "dataChanged /watched",
      "childrenChanged /watched",
    ]);
    expect(await take(all[Symbol.asyncIterator](), 4)).toEqual([
      "created /watched/a",
      "dataChanged /watched/a",
      "dataChanged /watched",
      "deleted /watched/a",
    ]);
  });

  it("resumes a watch from a revision", async () => {
    await client.create("/resumed", "0");
    const before = await client.sync();
    await other.set("/resumed", "1");
    await other.set("/resumed", "2");
    await using watch = await client.watch("/resumed", { sinceZxid: before, withData: true });
    const notices = watch[Symbol.asyncIterator]();
    for (const expected of ["1", "2"]) {
      const { value } = await notices.next();
      expect(new TextDecoder().decode(value.data)).toBe(expected);
    }
  });

  it("hands a lock on, with a rising token, and fences the former holder", async () => {
    const first = await client.lock("/locks/a").acquire();
    expect(await other.lock("/locks/a").tryAcquire()).toBeNull();
    const waiting = other.lock("/locks/a").acquire();
    await client.multi([
      first.guard(),
      { kind: "create", path: "/guarded", data: new Uint8Array(), mode: "persistent" },
    ]);
    const stale = first.guard();
    await first.release();
    const second = await waiting;
    expect(second.token).toBeGreaterThan(first.token);
    const write = {
      kind: "set",
      path: "/guarded",
      data: new Uint8Array([1]),
      version: null,
    } as const;
    await expect(client.multi([stale, write])).rejects.toMatchObject({ code: "FENCED" });
    await other.multi([second.guard(), write]);
    await second.release();
  });

  it("passes a lock on when its holder's session ends", async () => {
    const holder = await connect({ servers: ensemble.servers });
    const held = await holder.lock("/locks/b").acquire();
    const waiting = client.lock("/locks/b").acquire();
    await holder.close();
    expect(held.signal.aborted).toBe(true);
    await using next = await waiting;
    expect(next.token).toBeGreaterThan(held.token);
  });

  it("elects one leader and shows it", async () => {
    const election = client.election("/elections/x");
    expect(await election.leader()).toBeNull();
    const data = new TextEncoder().encode("me");
    await using leadership = await election.campaign({ data });
    const leader = await other.election("/elections/x").leader();
    expect(leader?.token).toBe(leadership.token);
    expect(new TextDecoder().decode(leader?.data)).toBe("me");
  });

  it("lists sessions", async () => {
    const ids = (await client.sessions()).map((session) => session.id);
    expect(ids).toContain(client.session);
    expect(ids).toContain(other.session);
  });
});
