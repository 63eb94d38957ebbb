import { asError } from "../errors.ts";
import type { ImageView } from "../ports.ts";

/** The same view; what reading it fails with is told too, before the reader hears of it. */
export function watchedView(view: ImageView, onFailure: (error: Error) => void): ImageView {
  return {
    next: async (countMax, bytesMax) => {
      try {
        return await view.next(countMax, bytesMax);
      } catch (error) {
        onFailure(asError(error));
        throw error;
      }
    },
    close: () => view.close(),
  };
}
