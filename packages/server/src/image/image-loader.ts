import { DataTree, TREE_LIMITS, TreeLoader, type TreeLimits } from "@quorate/kv-store";
import type { ImageStore, ImageView, MonotonicClock } from "../ports.ts";
import { damageOf, metaAt } from "./image-damage.ts";
import { IMAGE_META_KEY, decodeImageMeta, type ImageMeta } from "./image-meta.ts";

const PAGE_COUNT = 1_000;
const PAGE_BYTES = 1_048_576;

type ImagePage = Awaited<ReturnType<ImageView["next"]>>;

export interface LoadedImage {
  readonly tree: DataTree;
  /** Null: the image is new and holds nothing yet. */
  readonly meta: ImageMeta | null;
}

/**
 * Reads the whole image, written under `limits` (null: under any), and builds the tree it stands for, digest verified. Rejects
 * with a `ServerError` (IMAGE_CORRUPT, FORMAT_UNKNOWN) when anything is damaged or missing: a node never starts from half a
 * state.
 */
export async function loadImage(
  image: ImageStore,
  limits: TreeLimits | null,
  clock: MonotonicClock,
): Promise<LoadedImage> {
  const view = image.view();
  const loader = new TreeLoader(limits);
  let meta: ImageMeta | null = null;
  let count = 0;
  try {
    for await (const page of pagesOf(view)) {
      for (const [key, value] of page) {
        if (key === IMAGE_META_KEY) meta = decodeImageMeta(value);
        else loader.add(key, value);
        count += 1;
      }
      await new Promise<void>((resolve) => {
        clock.endOfTurn(resolve);
      });
    }
    if (count === 0) return { tree: new DataTree(limits ?? TREE_LIMITS), meta: null };
    const tree = loader.finish();
    return { tree, meta: metaAt(tree.lastZxid, meta) };
  } catch (error) {
    throw damageOf(error, "IMAGE_CORRUPT");
  } finally {
    await view.close();
  }
}

/** Every page while the next one is being read. */
async function* pagesOf(view: ImageView): AsyncIterable<ImagePage> {
  let next = nextPage(view);
  for (;;) {
    const page = await next;
    if (page.length === 0) return;
    next = nextPage(view);
    yield page;
  }
}

function nextPage(view: ImageView): Promise<ImagePage> {
  const page = view.next(PAGE_COUNT, PAGE_BYTES);
  // Whoever gives up in between does not ask for it any more.
  page.catch(() => undefined);
  return page;
}
