/** One value as one line, for other programs; bytes do not occur in it (see `dataText`). */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
