/**
 * A whole buffer. Not cleared: only what was written may be looked at. Not of the shared pool: bytes that are kept would keep
 * others' bytes too.
 */
export function freshBytes(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}
