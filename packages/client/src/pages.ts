import type { ReadOptions } from "./api.ts";
import { checkCallOptions } from "./cancellations.ts";

/** How a list is read page by page. */
export interface PageReader<Page, Key> {
  /** The page behind `after`, null for the first. */
  read(after: Key | null, options: ReadOptions | undefined): Promise<Page>;
  /** Where the next page starts, null if this was the last. */
  next(page: Page): Key | null;
}

/** All pages, one after the other; a timeout is for all of them together. Codes: of bad options, and of what the reader fails with. */
export async function readPages<Page, Key>(
  nowMs: () => number,
  options: ReadOptions | undefined,
  reader: PageReader<Page, Key>,
): Promise<Page[]> {
  const error = checkCallOptions(options);
  if (error !== null) throw error;
  const timeoutMs = options?.timeoutMs;
  const dueMs = timeoutMs === undefined ? 0 : nowMs() + timeoutMs;
  const pages: Page[] = [];
  let after: Key | null = null;
  do {
    const rest: ReadOptions | undefined =
      pages.length === 0 || timeoutMs === undefined
        ? options
        : { ...options, timeoutMs: Math.max(0, dueMs - nowMs()) };
    const page: Page = await reader.read(after, rest);
    pages.push(page);
    after = reader.next(page);
  } while (after !== null);
  return pages;
}
