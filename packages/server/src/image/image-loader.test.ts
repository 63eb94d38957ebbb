import { TREE_LIMITS } from "@quorate/kv-store";
import { expect, test } from "vitest";
import { ServerError } from "../errors.ts";
import { ManualClock } from "../memory/manual-clock.ts";
import type { ImageStore, ImageView } from "../ports.ts";
import { loadImage } from "./image-loader.ts";

type Page = Awaited<ReturnType<ImageView["next"]>>;

test("an image that is given up is closed, and the page under way may fail as it likes", async () => {
  const pages: Promise<Page>[] = [Promise.resolve([["no key of an image", new Uint8Array(1)]])];
  let fail = (_error: ServerError): void => {};
  pages.push(
    new Promise((_resolve, reject) => {
      fail = reject;
    }),
  );
  let closed = 0;
  const view: ImageView = {
    next: () => pages.shift() ?? Promise.reject(new Error("asked for more")),
    close: async () => {
      closed += 1;
      expect(pages).toEqual([]);
      fail(new ServerError("STORAGE_FAILED", "the disk is gone"));
    },
  };
  const image = { view: () => view } as unknown as ImageStore;
  await expect(loadImage(image, TREE_LIMITS, new ManualClock())).rejects.toMatchObject({
    code: "IMAGE_CORRUPT",
  });
  expect(closed).toBe(1);
  // Nobody awaits it: a rejection that nobody sees would fail this run.
  await new Promise((resolve) => setImmediate(resolve));
});
