/** What was given, as text; callers without types give anything, also symbols and objects that cannot be made text. */
export function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
