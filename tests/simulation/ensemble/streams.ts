import { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** A seed takes the lower 32 bits of what a stream starts from, its name what is left of a safe integer. */
const NAME_BITS = 21;

/**
 * A stream of chance of its own for each concern of a run: what one of them draws moves no other, so that a run of which
 * a part is left out stays like it was in the rest.
 */
export function streamOf(seed: number, name: string): SeededRandom {
  let hash = FNV_OFFSET;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), FNV_PRIME);
  }
  return new SeededRandom((hash >>> (32 - NAME_BITS)) * 2 ** 32 + (seed >>> 0));
}
