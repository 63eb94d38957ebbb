import type { SeededRandom } from "../../../packages/server/src/memory/seeded-random.ts";
import { Violation } from "../violation.ts";
import type { Profile } from "./profile.ts";
import { streamOf } from "./streams.ts";

const COLON = 0x3a;
/** Sizes of what stands behind a name, with the part of the values that are no larger. */
const SIZES: readonly (readonly [part: number, bytesMin: number, bytesMax: number])[] = [
  [0.35, 0, 0],
  [0.62, 1, 64],
  [0.82, 65, 512],
  [0.97, 513, 4_096],
  [1, 20_000, 60_000],
];
/** Runs of zeros, and of other bytes, are up to this long: a few sectors. */
const RUN_BYTES_MAX = 3_000;

/**
 * What is written to registers: the name of the write, and behind it bytes that follow from that, so that one of them that is
 * another one is seen wherever the value is read. Checkers know values by their names.
 */
export class Values {
  readonly #profile: Profile;
  readonly #known = new Map<string, Uint8Array>();

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  /** The value of that name. */
  bytesOf(name: string): Uint8Array {
    let bytes = this.#known.get(name);
    if (bytes === undefined) this.#known.set(name, (bytes = this.#make(name)));
    return bytes;
  }

  /** Whose value it is. Throws a Violation where it is not that one byte by byte. */
  nameOf(bytes: Uint8Array): string {
    const colon = bytes.indexOf(COLON);
    const name = new TextDecoder().decode(colon < 0 ? bytes : bytes.subarray(0, colon));
    const expected = this.bytesOf(name);
    if (Buffer.compare(bytes, expected) === 0) return name;
    const wrong = expected.findIndex((byte, at) => byte !== bytes[at]);
    const where = wrong < 0 ? "more than that" : `another byte at ${wrong}`;
    const text = `what was written as ${name}, ${expected.length} bytes, is ${bytes.length}, with ${where}`;
    throw new Violation("C1 content", text);
  }

  #make(name: string): Uint8Array {
    const { seed, valueBytes } = this.#profile;
    const plain = new TextEncoder().encode(name);
    if (valueBytes === 0) return plain;
    const random = streamOf(seed, `value ${name}`);
    const size = Math.min(valueBytes, drawSize(random));
    if (size === 0) return plain;
    const bytes = new Uint8Array(plain.length + 1 + size);
    bytes.set(plain);
    bytes[plain.length] = COLON;
    fill(bytes.subarray(plain.length + 1), random);
    return bytes;
  }
}

function drawSize(random: SeededRandom): number {
  const part = random.nextFraction();
  const [, least, most] = SIZES.find(([upTo]) => part < upTo) ?? [0, 0, 0];
  return least + random.nextBelow(most - least + 1);
}

function fill(bytes: Uint8Array, random: SeededRandom): void {
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.nextBelow(RUN_BYTES_MAX);
    const isOfZeros = random.nextFraction() < 0.5;
    const [first, step] = [random.nextBelow(256), random.nextBelow(256)];
    const run = bytes.subarray(at, end);
    if (!isOfZeros)
      for (let each = 0; each < run.length; each += 1) run[each] = first + each * step;
    at = end;
  }
}
