import { malformed } from "./codec-value.ts";

/** What browsers and Node share of it. */
declare const TextDecoder: new (
  label: string,
  options: { readonly fatal: boolean; readonly ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

/** "ignoreBOM" keeps U+FEFF at the beginning, where it is a character like any other. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text at `bytes` from `start` to `end`, the same on every machine. Throws PROTOCOL_ERROR for what is not UTF-8: with
 * wrong bytes replaced, as decoders would, it would be longer when it is written again than any bound let in.
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  // A message of nothing but empty texts would cost as many calls as it has bytes.
  if (start === end) return "";
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return malformed("a text is not UTF-8");
  }
}
