import { ImageCheck } from "@quorate/kv-store";
import type { ImageStore } from "../ports.ts";
import type { Consume } from "../scrub/throttle.ts";
import { damageOf, metaAt } from "./image-damage.ts";
import { IMAGE_META_KEY, decodeImageMeta, type ImageMeta } from "./image-meta.ts";

const PAGE_COUNT = 500;
const PAGE_BYTES = 262_144;

/**
 * Reads what an image that is in use has on disk, and then a consistent view of it, record by record. Rejects with
 * IMAGE_CORRUPT or FORMAT_UNKNOWN when it is not what was written or cannot be read any more, and with whatever else reading
 * it or `consume` fails with.
 */
export async function scrubImage(image: ImageStore, consume: Consume): Promise<void> {
  for await (const bytes of image.check()) await consume(bytes);
  const view = image.view();
  const check = new ImageCheck();
  let meta: ImageMeta | null = null;
  let count = 0;
  try {
    for (;;) {
      const page = await view.next(PAGE_COUNT, PAGE_BYTES);
      if (page.length === 0) break;
      let bytes = 0;
      for (const [key, value] of page) {
        if (key === IMAGE_META_KEY) meta = decodeImageMeta(value);
        else check.add(key, value);
        bytes += key.length + value.length;
      }
      count += page.length;
      await consume(bytes);
    }
    // Before the first checkpoint there is nothing in it.
    if (count === 0) return;
    metaAt(check.finish(), meta);
  } catch (error) {
    throw damageOf(error, "IMAGE_CORRUPT");
  } finally {
    await view.close();
  }
}
