import { readFileSync, writeFileSync } from "node:fs";

/** One exchange of a script: what is asked, and everything that comes of it. */
export interface Block {
  /** Comment lines before it, kept when the script is rewritten. */
  readonly comments: readonly string[];
  readonly commands: readonly string[];
  readonly expected: string;
}

const separator = "----";

/**
 * Reads a script: blocks of commands, a line `----`, and the expected output up to an empty line. Lines that start with `#`
 * are comments.
 */
export function parseScript(text: string): readonly Block[] {
  const blocks: Block[] = [];
  let comments: string[] = [];
  let commands: string[] = [];
  let output: string[] | null = null;
  const finish = (): void => {
    if (output === null && commands.length > 0)
      throw new Error(`no ${separator} after: ${commands.join("; ")}`);
    if (output === null && comments.length === 0) return;
    blocks.push({ comments, commands, expected: (output ?? []).join("\n") });
    comments = [];
    commands = [];
    output = null;
  };
  for (const line of text.split("\n")) {
    if (line === "") finish();
    else if (output !== null) output.push(line);
    else if (line === separator) output = [];
    else if (line.startsWith("#")) comments.push(line);
    else commands.push(line);
  }
  finish();
  return blocks;
}

function printBlock(block: Block): string {
  if (block.commands.length === 0) return block.comments.join("\n");
  const lines = [...block.comments, ...block.commands, separator];
  if (block.expected !== "") lines.push(block.expected);
  return lines.join("\n");
}

/** What a script said and what came of it, both as whole scripts, so that a difference shows in its place. */
export interface ScriptRun {
  readonly expected: string;
  readonly actual: string;
}

/** Runs a script block by block; with `rewrite` the file takes what came of it as what is expected. */
export function runScript(
  path: string,
  run: (command: string) => readonly string[],
  options: { readonly rewrite: boolean },
): ScriptRun {
  const expected = readFileSync(path, "utf8");
  const blocks = parseScript(expected).map((block): Block => {
    const lines = block.commands.flatMap((command) => run(command));
    return { ...block, expected: lines.join("\n") };
  });
  const actual = `${blocks.map(printBlock).join("\n\n")}\n`;
  if (options.rewrite && actual !== expected) writeFileSync(path, actual);
  return { expected, actual };
}
