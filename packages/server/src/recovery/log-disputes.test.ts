import { logIndex, nodeId, term } from "@quorate/raft";
import { describe, expect, test, vi } from "vitest";
import { peerOf, statusOf } from "../../../../tests/support/raft-status.ts";
import { ServerError } from "../errors.ts";
import { createMemoryLogger } from "../observe/logger.ts";
import { LogDisputes } from "./log-disputes.ts";

const LOSS = new ServerError("LOG_CORRUPT", "planned");
const CONFLICT = new ServerError("LOG_CONFLICT", "planned");
const BROKEN = new ServerError("STORAGE_FAILED", "planned");
const CONTRADICTION = {
  index: logIndex(7),
  term: term(2),
  leader: nodeId(2),
  leaderTerm: term(3),
  theirTerm: term(3),
};

function setUp() {
  const logger = createMemoryLogger();
  const noteLoss = vi.fn(async () => LOSS);
  const noteConflict = vi.fn(async () => CONFLICT);
  const onDamage = vi.fn();
  const onFatal = vi.fn();
  const disputes = new LogDisputes({
    ...{ logger, onDamage, onFatal },
    storage: { noteLoss, noteConflict },
    nameOf: (id) => `n${id}`,
  });
  return { disputes, logger, noteLoss, noteConflict, onDamage, onFatal };
}

describe("a peer that claims more than the leader has", () => {
  const claiming = (...ids: readonly number[]) => ({
    peers: [2, 3].map((id) =>
      peerOf(nodeId(id), { claimedIndex: ids.includes(id) ? logIndex(120) : null }),
    ),
  });

  test("is told of once a term", () => {
    const { disputes, logger } = setUp();
    const peers = (): unknown => logger.lines.map(({ fields }) => fields["peer"]);
    disputes.keep(statusOf());
    expect(peers()).toEqual([]);
    disputes.keep(statusOf(claiming(2)));
    disputes.keep(statusOf(claiming(2, 3)));
    disputes.keep(statusOf(claiming(2, 3)));
    expect(peers()).toEqual(["n2", "n3"]);
    disputes.keep(statusOf({ ...claiming(3), term: term(2) }));
    expect(peers()).toEqual(["n2", "n3", "n3"]);
  });
});

describe("a node that lost what it had acknowledged", () => {
  const lost = statusOf({ hasLostEntries: true });

  test("notes it once, and then ends as damaged", async () => {
    const { disputes, noteLoss, onDamage, onFatal } = setUp();
    disputes.keep(lost);
    disputes.keep(lost);
    expect(onDamage).not.toHaveBeenCalled();
    await vi.waitFor(() => expect(onDamage).toHaveBeenCalledExactlyOnceWith(LOSS));
    disputes.keep(lost);
    expect(noteLoss).toHaveBeenCalledOnce();
    expect(onFatal).not.toHaveBeenCalled();
  });

  test("ends where it cannot be noted", async () => {
    const { disputes, noteLoss, onDamage, onFatal } = setUp();
    noteLoss.mockRejectedValueOnce(BROKEN);
    disputes.keep(lost);
    await vi.waitFor(() => expect(onFatal).toHaveBeenCalledExactlyOnceWith(BROKEN));
    expect(onDamage).not.toHaveBeenCalled();
  });

  test("notes all the same that its leader contradicts it", async () => {
    const { disputes, noteConflict, onFatal } = setUp();
    disputes.keep(lost);
    disputes.onConflict(CONTRADICTION);
    await vi.waitFor(() => expect(onFatal).toHaveBeenCalledExactlyOnceWith(CONFLICT));
    expect(noteConflict).toHaveBeenCalledExactlyOnceWith(CONTRADICTION);
  });
});

describe("a node whose leader contradicts what it has", () => {
  test.each([
    ["when that is noted", CONFLICT, async () => CONFLICT],
    ["where that cannot be noted", BROKEN, () => Promise.reject(BROKEN)],
  ])("ends %s", async (_what, error, note) => {
    const { disputes, logger, noteConflict, onFatal, onDamage } = setUp();
    noteConflict.mockImplementationOnce(note);
    disputes.onConflict(CONTRADICTION);
    expect(logger.lines).toMatchObject([{ level: "error", fields: { leader: 2, index: 7 } }]);
    await vi.waitFor(() => expect(onFatal).toHaveBeenCalledExactlyOnceWith(error));
    expect(onDamage).not.toHaveBeenCalled();
  });
});
