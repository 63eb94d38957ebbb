import { createHash } from "node:crypto";

/** Bytes of a verifier. */
export const VERIFIER_BYTES = 16;

/**
 * What the state machine keeps instead of a session's secret: SHA-256, truncated. Secrets are 128 random bits, so a
 * plain hash suffices: there is nothing to guess.
 */
export function verifierOf(secret: Uint8Array): Uint8Array {
  const digest = createHash("sha256").update("quorate session").update(secret).digest();
  return new Uint8Array(digest.subarray(0, VERIFIER_BYTES));
}

/** A verifier as a map key. */
export function verifierKey(verifier: Uint8Array): string {
  let key = "";
  for (const byte of verifier) key += byte.toString(16).padStart(2, "0");
  return key;
}
