/**
 * The same source with the inside of comments and, on request, of strings replaced by blanks; line numbers stay. Knows
 * enough of the grammar for these rules: quotes, templates (as one string), both kinds of comment, regular expressions.
 */
export function blankComments(source: string, options: { readonly strings: boolean }): string {
  let result = "";
  let at = 0;
  while (at < source.length) {
    const token = tokenAt(source, at, result);
    result += isBlanked(token.kind, options.strings) ? blank(token.text) : token.text;
    at += token.text.length;
  }
  return result;
}

type TokenKind = "code" | "comment" | "string" | "regex";

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const PATTERNS: readonly { readonly kind: TokenKind; readonly pattern: RegExp }[] = [
  { kind: "comment", pattern: /\/\/[^\n]*/y },
  { kind: "comment", pattern: /\/\*[\s\S]*?\*\//y },
  { kind: "string", pattern: /"(?:[^"\\\n]|\\[\s\S])*"/y },
  { kind: "string", pattern: /'(?:[^'\\\n]|\\[\s\S])*'/y },
  { kind: "string", pattern: /`(?:[^`\\]|\\[\s\S])*`/y },
];
const REGEX = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
/** A slash after one of these begins a regular expression, elsewhere it divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};>]|\breturn)\s*$/;

function tokenAt(source: string, at: number, before: string): Token {
  for (const { kind, pattern } of PATTERNS) {
    const text = matchAt(pattern, source, at);
    if (text !== null) return { kind, text };
  }
  if (source[at] === "/" && BEFORE_REGEX.test(before.slice(-20))) {
    const text = matchAt(REGEX, source, at);
    if (text !== null) return { kind: "regex", text };
  }
  return { kind: "code", text: source[at] ?? "" };
}

function matchAt(pattern: RegExp, source: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? null;
}

function isBlanked(kind: TokenKind, strings: boolean): boolean {
  return kind === "comment" || (strings && (kind === "string" || kind === "regex"));
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
