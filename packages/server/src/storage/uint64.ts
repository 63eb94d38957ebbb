const HIGH = 4_294_967_296;

/** Writes a safe integer from 0 as 8 bytes, little endian. */
export function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % HIGH, true);
  view.setUint32(at + 4, Math.floor(value / HIGH), true);
}

/** Reads 8 bytes, little endian; not a safe integer when the bytes are not one. */
export function readUint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * HIGH + view.getUint32(at, true);
}
