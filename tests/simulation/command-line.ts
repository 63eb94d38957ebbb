import { parseArgs } from "node:util";

/** A flag as help tells it. */
export interface Flag {
  /** Stands for its value; without it the flag takes none. */
  readonly value?: string;
  readonly meaning: string;
}

type Flags = Readonly<Record<string, Flag>>;

/** One of the programs that npm starts, as far as its command line goes. */
export interface Program<Name extends string, Options> {
  /** Of the npm script. */
  readonly name: string;
  readonly about: string;
  /** In the order in which help lists them. */
  readonly flags: Readonly<Record<Name, Flag>>;
  /** What help says of the last line that is printed. */
  readonly lastLine: string;
  /** For exit codes 0 and 1. */
  readonly endings: readonly [good: string, bad: string];
  /** Throws UsageError. */
  readonly read: (line: CommandLine<Name>) => Options;
}

/** Where a program is run. */
export interface Surroundings<Options> {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Does what the program is for; its exit code. */
  readonly run: (options: Options) => number | Promise<number>;
}

/** A command line that is wrong, in a sentence for whoever typed it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const WRONG_USAGE = 2;
const HELP = "help";
const HELP_LETTER = "h";
const HELP_FLAG: Flag = { meaning: "This text" };
/** How Node begins: `ENOENT: no such file or directory, open …`. */
const FILE_ERROR = /^E[A-Z]+: ([^,]+)/u;
const WHOLE = /^\d+$/u;
const POSITIVE = /^(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?$/u;

/** The flags that were given, of those that a program has. */
export class CommandLine<Name extends string> {
  readonly #given: ReadonlyMap<string, string | null>;

  /** Throws UsageError for anything but flags of the program, each once and with a value only if it takes one. */
  constructor(flags: Readonly<Record<Name, Flag>>, argv: readonly string[]) {
    this.#given = readGiven({ ...flags, [HELP]: HELP_FLAG }, argv);
  }

  get wantsHelp(): boolean {
    return this.#given.has(HELP);
  }

  has(name: Name): boolean {
    return this.#given.has(name);
  }

  /** The value as it was typed; null: the flag was not given. */
  text(name: Name): string | null {
    return this.#given.get(name) ?? null;
  }

  /** A whole number from `least` to `most`; null: the flag was not given. */
  whole(name: Name, least: number, most: number = Infinity): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const number = WHOLE.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    const range = most === Infinity ? `from ${least}` : `from ${least} to ${most}`;
    throw new UsageError(`--${name} takes a whole number ${range}, not ${JSON.stringify(text)}`);
  }

  /** A number above 0, with or without a fraction; null: the flag was not given. */
  positive(name: Name): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const number = POSITIVE.test(text) ? Number(text) : Number.NaN;
    if (number > 0 && number < Infinity) return number;
    throw new UsageError(`--${name} takes a number above 0, not ${JSON.stringify(text)}`);
  }

  /** Throws UsageError if one of `others` was given beside `name`, which for the reason given leaves them no meaning. */
  refuseBeside(name: Name, others: readonly Name[], reason: string): void {
    const other = this.has(name) ? others.find((each) => this.has(each)) : undefined;
    if (other !== undefined) throw new UsageError(`--${name} ${reason}: leave out --${other}`);
  }

  /** Throws UsageError if `name` was given and `other`, without which it means nothing, was not. */
  refuseWithout(name: Name, other: Name): void {
    if (this.has(name) && !this.has(other)) throw new UsageError(`--${name} needs --${other}`);
  }
}

/** Runs one command line of a program, or says what is wrong with it; returns what to exit with. */
export async function runProgram<Name extends string, Options>(
  program: Program<Name, Options>,
  argv: readonly string[],
  { out, err, run }: Surroundings<Options>,
): Promise<number> {
  let options: Options;
  try {
    const line = new CommandLine(program.flags, argv);
    if (line.wantsHelp) {
      out(helpOf(program));
      return 0;
    }
    options = program.read(line);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    err(`error: ${error.message}\n  npm run ${program.name} -- --help lists the flags\n`);
    return WRONG_USAGE;
  }
  return run(options);
}

/** The surroundings of this process. */
export function ofProcess<Options>(run: Surroundings<Options>["run"]): Surroundings<Options> {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    run,
  };
}

/** Why a file or a folder that a flag named could not be used, as part of a sentence. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return FILE_ERROR.exec(message)?.[1] ?? message;
}

/** What was given, by name; null for a flag without a value. */
function readGiven(flags: Flags, argv: readonly string[]): ReadonlyMap<string, string | null> {
  const options = Object.entries(flags).map(([name, { value }]) => {
    const type = value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, { type, ...(name === HELP && { short: HELP_LETTER }) }] as const;
  });
  // Not strict: what Node says of a wrong flag is several sentences, and of `--seed -1` that a dash is ambiguous.
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(options),
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string | null>();
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(`${token.value} is no flag`);
    if (token.kind === "option-terminator") continue;
    const { name, rawName, value } = token;
    if (!Object.hasOwn(flags, name)) throw new UsageError(`there is no flag ${rawName}`);
    if (given.has(name)) throw new UsageError(`${rawName} is there twice`);
    given.set(name, valueOf(rawName, value, flags[name]?.value !== undefined));
  }
  return given;
}

function valueOf(rawName: string, value: string | undefined, takesOne: boolean): string | null {
  if (!takesOne) {
    if (value === undefined) return null;
    throw new UsageError(`${rawName} takes no value`);
  }
  if (value === undefined || value === "" || value.startsWith("--")) {
    throw new UsageError(`${rawName} needs a value`);
  }
  return value;
}

function labelOf(flag: string): string {
  return flag === HELP ? `-${HELP_LETTER}, --${HELP}` : `--${flag}`;
}

function helpOf<Name extends string, Options>(program: Program<Name, Options>): string {
  const { name, about, flags, lastLine, endings } = program;
  const rows = Object.entries<Flag>({ ...flags, [HELP]: HELP_FLAG }).map(
    ([flag, { value, meaning }]) =>
      [`${labelOf(flag)}${value === undefined ? "" : ` ${value}`}`, meaning] as const,
  );
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const codes = [...endings, "The command line is wrong; nothing was run"];
  return [
    `Usage: npm run ${name} -- [FLAGS]\n`,
    `${about}\n`,
    ...rows.map(([flag, meaning]) => {
      const indented = meaning.replaceAll("\n", `\n${" ".repeat(width + 4)}`);
      return `  ${flag.padEnd(width)}  ${indented}`;
    }),
    `\nThe last line:\n${lastLine}\n`,
    "Exit codes:",
    ...codes.map((meaning, code) => `  ${code}  ${meaning}`),
    "",
  ].join("\n");
}
