import { describe, expect, test, vi } from "vitest";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import { createMemoryLogger } from "../observe/logger.ts";
import { DamageRepair } from "./damage-repair.ts";

const DAMAGE = new ServerError("IMAGE_CORRUPT", "planned");
const AGAIN = new ServerError("IMAGE_CORRUPT", "again");
const FULL = new ServerError("STORAGE_FULL", "planned");
const LOSS = new ServerError("LOG_CORRUPT", "planned");

function setUp() {
  const clock = new ManualClock();
  const logger = createMemoryLogger();
  const renewImage = vi.fn<() => Promise<void>>(async () => undefined);
  const bringUpToDate = vi.fn<() => Promise<void>>(async () => undefined);
  const onRenewed = vi.fn();
  const image = { isDamaged: false };
  const mayLeave = vi.fn<() => Promise<boolean>>(async () => true);
  const giveUp = vi.fn();
  const fatal = vi.fn();
  const repair = new DamageRepair({
    ...{ clock, logger, renewImage, bringUpToDate, onRenewed, mayLeave, giveUp, fatal },
    markImageDamaged: () => {
      image.isDamaged = true;
    },
    isImageDamaged: () => image.isDamaged,
  });
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const calls = { renewImage, bringUpToDate, onRenewed, mayLeave, giveUp, fatal };
  return { repair, image, ...calls, pass, logger };
}

describe("damage that is found while a node serves", () => {
  test("of the image is made good from memory, once however often it is told", async () => {
    const { repair, renewImage, onRenewed, giveUp, pass } = setUp();
    repair.onDamage(DAMAGE);
    repair.onDamage(DAMAGE);
    await pass(0);
    expect(renewImage).toHaveBeenCalledOnce();
    expect(onRenewed).toHaveBeenCalledOnce();
    expect(giveUp).not.toHaveBeenCalled();
  });

  test("of anything else is not", async () => {
    const { repair, renewImage, bringUpToDate, giveUp, pass } = setUp();
    repair.onDamage(LOSS);
    await pass(0);
    expect(renewImage).not.toHaveBeenCalled();
    expect(bringUpToDate).not.toHaveBeenCalled();
    expect(giveUp).toHaveBeenCalledExactlyOnceWith(LOSS);
  });

  test("costs no majority: the node goes on until the others are one", async () => {
    const { repair, mayLeave, giveUp, pass, logger } = setUp();
    mayLeave.mockResolvedValue(false);
    repair.onDamage(LOSS);
    await pass(0);
    await pass(10_000);
    repair.onDamage(LOSS);
    await pass(10_000);
    expect(giveUp).not.toHaveBeenCalled();
    expect(logger.lines).toHaveLength(3);
    mayLeave.mockResolvedValue(true);
    await pass(10_000);
    expect(giveUp).toHaveBeenCalledExactlyOnceWith(LOSS);
  });

  test("waits for the word on whether the node may leave, and asks once at a time", async () => {
    const { repair, mayLeave, bringUpToDate, giveUp, pass } = setUp();
    const answers: ((ok: boolean) => void)[] = [];
    mayLeave.mockImplementation(() => new Promise((resolve) => answers.push(resolve)));
    repair.onDamage(LOSS);
    await pass(60_000);
    expect(mayLeave).toHaveBeenCalledOnce();
    expect(bringUpToDate).not.toHaveBeenCalled();
    answers.pop()?.(false);
    await pass(0);
    expect(bringUpToDate).toHaveBeenCalledOnce();
    expect(giveUp).not.toHaveBeenCalled();
    await pass(10_000);
    answers.pop()?.(true);
    await pass(0);
    expect(giveUp).toHaveBeenCalledExactlyOnceWith(LOSS);
  });

  test("is nothing to a node that stops before it hears whether it may leave", async () => {
    const { repair, mayLeave, giveUp, pass } = setUp();
    mayLeave.mockResolvedValue(true);
    repair.onDamage(LOSS);
    repair.stop();
    await pass(0);
    expect(giveUp).not.toHaveBeenCalled();
  });

  test("of a new image is the disk's fault, unless that lasted for long", async () => {
    const { repair, renewImage, giveUp, pass } = setUp();
    repair.onDamage(DAMAGE);
    await pass(0);
    await pass(600_000);
    repair.onDamage(DAMAGE);
    await pass(0);
    await pass(599_999);
    expect(renewImage).toHaveBeenCalledTimes(2);
    expect(giveUp).not.toHaveBeenCalled();
    repair.onDamage(DAMAGE);
    await pass(0);
    expect(giveUp).toHaveBeenCalledExactlyOnceWith(DAMAGE);
  });

  test.each(["STORAGE_FULL", "STORAGE_FAILED"] as const)("waits out %s", async (code) => {
    const { repair, renewImage, onRenewed, giveUp, pass } = setUp();
    const failure = new ServerError(code, "planned");
    renewImage.mockRejectedValueOnce(failure).mockRejectedValueOnce(failure);
    repair.onDamage(DAMAGE);
    await pass(0);
    await pass(10_000);
    expect(onRenewed).not.toHaveBeenCalled();
    await pass(10_000);
    expect(renewImage).toHaveBeenCalledTimes(3);
    expect(onRenewed).toHaveBeenCalledOnce();
    expect(giveUp).not.toHaveBeenCalled();
  });

  test("that is no better once it is written anew is the end", async () => {
    const { repair, renewImage, onRenewed, giveUp, pass } = setUp();
    renewImage.mockRejectedValueOnce(AGAIN);
    repair.onDamage(DAMAGE);
    await pass(0);
    expect(giveUp.mock.calls).toEqual([[AGAIN]]);
    expect(giveUp.mock.calls[0]?.[0]).toBe(AGAIN);
    expect(onRenewed).not.toHaveBeenCalled();
  });

  test("and a broken invariant on the way end the node", async () => {
    const { repair, renewImage, giveUp, fatal, pass } = setUp();
    const broken = new Error("broken");
    renewImage.mockRejectedValueOnce(broken);
    repair.onDamage(DAMAGE);
    await pass(0);
    expect(fatal).toHaveBeenCalledExactlyOnceWith(broken);
    expect(giveUp).not.toHaveBeenCalled();
  });

  test("of an image that was replaced while the node was needed is over", async () => {
    const { repair, image, renewImage, mayLeave, onRenewed, giveUp, pass } = setUp();
    mayLeave.mockResolvedValue(false);
    renewImage.mockRejectedValueOnce(AGAIN);
    repair.onDamage(DAMAGE);
    await pass(0);
    image.isDamaged = false;
    mayLeave.mockResolvedValue(true);
    await pass(10_000);
    expect(giveUp).not.toHaveBeenCalled();
    expect(onRenewed).toHaveBeenCalledOnce();
  });

  test("of the log does not wait until the image is renewed", async () => {
    const { repair, renewImage, giveUp, pass } = setUp();
    renewImage.mockRejectedValue(FULL);
    repair.onDamage(DAMAGE);
    await pass(0);
    expect(giveUp).not.toHaveBeenCalled();
    repair.onDamage(LOSS);
    repair.onDamage(LOSS);
    await pass(30_000);
    expect(giveUp).toHaveBeenCalledExactlyOnceWith(LOSS);
  });

  test("is nothing to a node that stops", async () => {
    const { repair, renewImage, giveUp, onRenewed, pass } = setUp();
    renewImage.mockRejectedValueOnce(FULL);
    repair.onDamage(DAMAGE);
    await pass(0);
    repair.stop();
    await pass(10_000);
    repair.onDamage(DAMAGE);
    expect(renewImage).toHaveBeenCalledOnce();
    expect(giveUp).not.toHaveBeenCalled();
    expect(onRenewed).not.toHaveBeenCalled();
  });
});

describe("the image of a node that is needed although its log is damaged", () => {
  function setUpNeeded() {
    const made = setUp();
    made.mayLeave.mockResolvedValue(false);
    return made;
  }

  test("is brought up to date at once, and again for whatever else is found", async () => {
    const { repair, bringUpToDate, pass } = setUpNeeded();
    repair.onDamage(LOSS);
    await pass(0);
    expect(bringUpToDate).toHaveBeenCalledOnce();
    await pass(30_000);
    expect(bringUpToDate).toHaveBeenCalledOnce();
    repair.onDamage(LOSS);
    await pass(30_000);
    expect(bringUpToDate).toHaveBeenCalledTimes(2);
  });

  test("is so once more where something was found while it was being written", async () => {
    const { repair, bringUpToDate, pass } = setUpNeeded();
    const writes: (() => void)[] = [];
    bringUpToDate.mockImplementationOnce(() => new Promise((resolve) => writes.push(resolve)));
    repair.onDamage(LOSS);
    repair.onDamage(LOSS);
    repair.onDamage(LOSS);
    await pass(10_000);
    expect(bringUpToDate).toHaveBeenCalledOnce();
    for (const done of writes) done();
    await pass(30_000);
    expect(bringUpToDate).toHaveBeenCalledTimes(2);
  });

  test("is tried again with each look while it cannot be written", async () => {
    const { repair, bringUpToDate, fatal, pass } = setUpNeeded();
    bringUpToDate.mockRejectedValueOnce(FULL).mockRejectedValueOnce(FULL);
    repair.onDamage(LOSS);
    for (const times of [1, 2, 3, 3]) {
      await pass(9_999);
      expect(bringUpToDate).toHaveBeenCalledTimes(times);
      await pass(1);
    }
    expect(fatal).not.toHaveBeenCalled();
  });

  test("ends the node where an invariant is broken on the way", async () => {
    const { repair, bringUpToDate, fatal, pass } = setUpNeeded();
    const broken = new Error("broken");
    bringUpToDate.mockRejectedValueOnce(broken);
    repair.onDamage(LOSS);
    await pass(0);
    expect(fatal).toHaveBeenCalledExactlyOnceWith(broken);
  });

  test("is written anew where it is damaged too, and then brought up to date", async () => {
    const { repair, image, renewImage, bringUpToDate, onRenewed, giveUp, pass } = setUpNeeded();
    bringUpToDate.mockRejectedValueOnce(FULL);
    renewImage.mockRejectedValueOnce(FULL);
    repair.onDamage(LOSS);
    await pass(5_000);
    repair.onDamage(DAMAGE);
    repair.onDamage(DAMAGE);
    await pass(0);
    await pass(9_000);
    expect(image.isDamaged).toBe(true);
    expect(renewImage).toHaveBeenCalledOnce();
    expect(bringUpToDate).toHaveBeenCalledOnce();
    await pass(1_000);
    expect(renewImage).toHaveBeenCalledTimes(2);
    expect(onRenewed).toHaveBeenCalledOnce();
    expect(bringUpToDate).toHaveBeenCalledTimes(2);
    expect(giveUp).not.toHaveBeenCalled();
  });

  test("is not written anew without end on a disk that damages each", async () => {
    const { repair, renewImage, giveUp, pass } = setUpNeeded();
    repair.onDamage(DAMAGE);
    await pass(1_000);
    repair.onDamage(DAMAGE);
    await pass(590_000);
    expect(renewImage).toHaveBeenCalledOnce();
    await pass(10_000);
    expect(renewImage).toHaveBeenCalledTimes(2);
    await pass(600_000);
    expect(renewImage).toHaveBeenCalledTimes(2);
    expect(giveUp).not.toHaveBeenCalled();
  });
});
