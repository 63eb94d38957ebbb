import type { SourceFile } from "./source-files.ts";

/** Something no line may contain, with what to do instead. */
export interface LineRule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly reason: string;
  readonly applies?: (path: string) => boolean;
}

/** One line per breach: `path:line rule: reason`. `view` is what of a file is looked at. */
export function findBreaches(
  files: readonly SourceFile[],
  rules: readonly LineRule[],
  view: (text: string) => string,
): readonly string[] {
  const breaches: string[] = [];
  for (const file of files) {
    const applying = rules.filter((rule) => rule.applies?.(file.path) ?? true);
    for (const [index, line] of view(file.text).split("\n").entries()) {
      for (const rule of applying) {
        if (!rule.pattern.test(line)) continue;
        breaches.push(`${file.path}:${index + 1} ${rule.name}: ${rule.reason}`);
      }
    }
  }
  return breaches;
}
