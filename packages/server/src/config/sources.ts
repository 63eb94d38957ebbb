import { parse, TomlError } from "smol-toml";
import { ServerError } from "../errors.ts";
import { OPTIONS, flagOf, variableOf, type MemberSetting, type ServerSettings } from "./option.ts";
import {
  optionNamed,
  parseMembers,
  parseSettingText,
  unknownKey,
  type SettingsSource,
} from "./settings.ts";

/** Settings on the command line, and the file it names. */
export interface FlagSource extends SettingsSource {
  readonly configFile: string | null;
}

/** Variables with this prefix are ours; an unknown one is an error. */
const VARIABLE_PREFIX = "QUORATE_";
/** Variables of the command line and of the tests, which may be set where a server is started. */
const FOREIGN_VARIABLES = /^QUORATE_(SERVERS|TEST_DIR|LOCK_[A-Z]+)$/;
const CONFIG_FLAG = "--config";
const CONFIG_VARIABLE = `${VARIABLE_PREFIX}CONFIG`;
/** A configuration is written by hand: more than this is something else. */
const FILE_CHARS_MAX = 1_048_576;

/**
 * Reads `--flag value` and `--flag=value`; a flag without a value stands for true where a boolean is meant. Throws
 * CONFIG_UNKNOWN_KEY and CONFIG_INVALID. `--member` may be repeated, any other flag may not.
 */
export function readFlags(argv: readonly string[]): FlagSource {
  const values = new Map<keyof ServerSettings, unknown>();
  const members: MemberSetting[] = [];
  let configFile: string | null = null;
  let at = 0;
  while (at < argv.length) {
    const { flag, value, used } = readFlag(argv, at);
    at += used;
    if (flag === CONFIG_FLAG) {
      if (configFile !== null) throw givenTwice(flag);
      configFile = value;
      continue;
    }
    const option = optionNamed("flag", flag);
    if (option === undefined) throw unknownFlag(flag);
    if (option.kind === "members") members.push(...parseMembers(value, flag));
    else if (values.has(option.field)) throw givenTwice(flag);
    else values.set(option.field, parseSettingText(option, value, flag));
  }
  if (members.length > 0) values.set("members", members);
  return { values, configFile, describe: flagOf };
}

/** The flag at a position, its value, and how many arguments the two take. */
function readFlag(
  argv: readonly string[],
  at: number,
): { readonly flag: string; readonly value: string; readonly used: number } {
  const argument = argv[at] ?? "";
  if (!argument.startsWith("-")) throw unknownKey("the command line", argument, []);
  const equals = argument.indexOf("=");
  if (equals >= 0)
    return { flag: argument.slice(0, equals), value: argument.slice(equals + 1), used: 1 };
  const next = argv[at + 1];
  const isBoolean = optionNamed("flag", argument)?.kind === "boolean";
  if (isBoolean && (next === undefined || next.startsWith("-")))
    return { flag: argument, value: "true", used: 1 };
  if (optionNamed("flag", argument) === undefined && argument !== CONFIG_FLAG)
    throw unknownFlag(argument);
  if (next === undefined || next.startsWith("--")) {
    throw new ServerError("CONFIG_INVALID", `${argument} needs a value`);
  }
  return { flag: argument, value: next, used: 2 };
}

function givenTwice(flag: string): ServerError {
  return new ServerError("CONFIG_INVALID", `${flag} is given twice; give it once`);
}

function unknownFlag(flag: string): ServerError {
  return unknownKey("the command line", flag, [CONFIG_FLAG, ...OPTIONS.map(flagOf)]);
}

/** Reads the environment. Throws CONFIG_UNKNOWN_KEY for an unknown `QUORATE_…` variable. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): FlagSource {
  const values = new Map<keyof ServerSettings, unknown>();
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || variable === CONFIG_VARIABLE) continue;
    if (value === undefined || FOREIGN_VARIABLES.test(variable)) continue;
    const option = optionNamed("variable", variable);
    if (option === undefined) {
      const known = [CONFIG_VARIABLE, ...OPTIONS.map(variableOf)];
      throw unknownKey("the environment", variable, known);
    }
    values.set(option.field, parseSettingText(option, value, variable));
  }
  return { values, configFile: env[CONFIG_VARIABLE] ?? null, describe: variableOf };
}

/** Reads a TOML document. Throws CONFIG_UNKNOWN_KEY and, also for bad TOML, CONFIG_INVALID naming `file`. */
export function readToml(document: string, file: string): SettingsSource {
  if (document.length > FILE_CHARS_MAX) {
    throw new ServerError("CONFIG_INVALID", `${file} is too large for a configuration`);
  }
  const values = new Map<keyof ServerSettings, unknown>();
  for (const [key, value] of Object.entries(parseDocument(document, file))) {
    const option = optionNamed("key", key);
    if (option === undefined)
      throw unknownKey(
        file,
        key,
        OPTIONS.map((known) => known.name),
      );
    if (option.kind === "members") checkMemberKeys(value, file);
    values.set(option.field, value);
  }
  return { values, describe: (option) => `${file}: ${option.name}` };
}

function parseDocument(document: string, file: string): Record<string, unknown> {
  try {
    return parse(document);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0] ?? "";
    throw new ServerError("CONFIG_INVALID", `${file}, line ${error.line}: ${reason}`, error);
  }
}

function checkMemberKeys(value: unknown, file: string): void {
  if (!Array.isArray(value)) return;
  const known = ["name", "peer", "client"];
  for (const member of value as readonly unknown[]) {
    if (typeof member !== "object" || member === null) continue;
    for (const key of Object.keys(member)) {
      if (!known.includes(key)) throw unknownKey(`${file}, [[members]]`, key, known);
    }
  }
}
