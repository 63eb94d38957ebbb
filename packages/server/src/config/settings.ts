import * as v from "valibot";
import { ServerError } from "../errors.ts";
import { WIRE_NUMBER_MAX } from "../peer/byte-reader.ts";
import { SECTOR_BYTES, SEGMENT_BYTES_MIN } from "../storage/log-format.ts";
import {
  LOG_FORMATS,
  LOG_LEVELS,
  OPTIONS,
  flagOf,
  variableOf,
  type MemberSetting,
  type Option,
  type ServerSettings,
} from "./option.ts";
import { didYouMean } from "./suggest.ts";

/** Where a value was written, for messages. */
export interface SettingsSource {
  /** Values by the option's field, as written. */
  readonly values: ReadonlyMap<keyof ServerSettings, unknown>;
  /** Names the place of one option, such as `--heartbeat-ms`. */
  describe(option: Option): string;
}

const wholeNumber = (min: number, max: number) =>
  v.pipe(
    v.number("must be a number"),
    v.integer("must be a whole number"),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );
const text = v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"), v.maxLength(1024));
const ms = wholeNumber(1, 86_400_000);
const count = wholeNumber(1, 10_000_000);
const bytes = wholeNumber(1, Number.MAX_SAFE_INTEGER);
/** Nodes tell each other: what is beyond could not be said. */
const toldBytes = wholeNumber(1, WIRE_NUMBER_MAX);

/** A file of the log is written full of zeros before it is used, the next one while this one is filled. */
const SEGMENT_BYTES_MAX = 1_073_741_824;
const SEGMENT_RULE =
  `must be a multiple of ${SECTOR_BYTES}, at least ${SEGMENT_BYTES_MIN} ` +
  `and at most ${SEGMENT_BYTES_MAX}`;
const segmentBytes = v.pipe(
  wholeNumber(0, Number.MAX_SAFE_INTEGER),
  v.multipleOf(SECTOR_BYTES, SEGMENT_RULE),
  v.minValue(SEGMENT_BYTES_MIN, SEGMENT_RULE),
  v.maxValue(SEGMENT_BYTES_MAX, SEGMENT_RULE),
);

/** At most this many members: more would make every decision slower and nothing safer. */
const MEMBERS_MAX = 15;

const NODE_NAME = v.pipe(
  v.string("must be text"),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    "must be 1 to 63 letters, digits, dots, dashes or underscores",
  ),
);

/** True for what a node may be called. */
export function isNodeName(value: unknown): value is string {
  return v.is(NODE_NAME, value);
}

/** Unknown keys have an error of their own in a file, where the nearest one can be named. */
const MEMBER = v.strictObject({ name: NODE_NAME, peer: text, client: text }, (issue) => {
  if (issue.path === undefined) return "must be a table with name, peer and client";
  return issue.expected === "never" ? "is unknown" : "is missing";
});

const SCHEMAS: Readonly<Record<keyof ServerSettings, v.GenericSchema>> = {
  name: NODE_NAME,
  dataDirectory: text,
  members: v.pipe(
    v.array(MEMBER, "must be a list of members"),
    v.minLength(1, "must name at least one member"),
    v.maxLength(MEMBERS_MAX, `must name at most ${MEMBERS_MAX} members`),
  ),
  peerListen: text,
  clientListen: text,
  peerAdvertise: text,
  clientAdvertise: text,
  join: v.boolean("must be true or false"),
  rejoin: v.boolean("must be true or false"),
  repair: v.boolean("must be true or false"),
  priority: wholeNumber(0, 1000),
  scrubIntervalMs: wholeNumber(0, 604_800_000),
  leaseReads: v.boolean("must be true or false"),
  stopWithStdin: v.boolean("must be true or false"),
  insecure: v.boolean("must be true or false"),
  allowedOrigins: v.pipe(v.array(text, "must be a list of origins"), v.maxLength(256)),
  logLevel: v.picklist(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(", ")}`),
  logFormat: v.picklist(LOG_FORMATS, `must be one of ${LOG_FORMATS.join(", ")}`),
  tickMs: wholeNumber(1, 1000),
  heartbeatMs: ms,
  electionTimeoutMs: ms,
  sessionTimeoutMinMs: ms,
  sessionTimeoutMaxMs: ms,
  clientConnectionsMax: count,
  sessionsMax: count,
  treeBytesMax: toldBytes,
  memoryLogBytesMax: bytes,
  diskFreeBytesMin: bytes,
  diskReserveBytes: bytes,
  logSegmentBytes: segmentBytes,
  checkpointBytes: bytes,
  trace: text,
  traceBytesMax: wholeNumber(65_536, Number.MAX_SAFE_INTEGER),
};

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** Merges sources, later ones winning, and checks each value by itself. Throws CONFIG_INVALID. */
export function mergeSettings(sources: readonly SettingsSource[]): ServerSettings {
  const merged: Record<string, unknown> = {};
  for (const source of sources) {
    for (const option of OPTIONS) {
      if (!source.values.has(option.field)) continue;
      const place = source.describe(option);
      merged[option.field] = checkSetting(option, source.values.get(option.field), place);
    }
  }
  return merged;
}

/** Settings given by a program: everything {@link mergeSettings} checks, and unknown keys are refused likewise. */
export function checkSettings(settings: ServerSettings): ServerSettings {
  const fields = OPTIONS.map((option) => option.field);
  const known: readonly string[] = fields;
  for (const key of Object.keys(settings)) {
    if (!known.includes(key)) throw unknownKey("the settings", key, known);
  }
  const values = new Map<keyof ServerSettings, unknown>();
  for (const field of fields) {
    if (settings[field] !== undefined) values.set(field, settings[field]);
  }
  return mergeSettings([{ values, describe: (option) => option.field }]);
}

function checkSetting(option: Option, value: unknown, place: string): unknown {
  const sized =
    option.kind === "bytes" && typeof value === "string" ? parseBytes(value, place) : value;
  const result = v.safeParse(SCHEMAS[option.field], sized);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue);
  throw new ServerError(
    "CONFIG_INVALID",
    `${place}${path === null ? "" : ` (${path})`}: ${issue.message}`,
  );
}

/** Turns the text of a flag or a variable into what its kind asks for. Throws CONFIG_INVALID naming `place`. */
export function parseSettingText(option: Option, written: string, place: string): unknown {
  const value = written.trim();
  switch (option.kind) {
    case "text":
      return value;
    case "integer":
      return /^\d{1,16}$/.test(value) ? Number(value) : refuse(place, value, "a whole number");
    case "bytes":
      return parseBytes(value, place);
    case "boolean":
      return parseBoolean(value, place);
    case "list":
      return value.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
    case "members":
    default:
      return parseMembers(value, place);
  }
}

/** Reads members separated by semicolons or space. Throws CONFIG_INVALID naming `place`. */
export function parseMembers(written: string, place: string): readonly MemberSetting[] {
  const parts = written.split(/[;\s]+/).filter((part) => part !== "");
  return parts.map((part) => parseMember(part, place));
}

function parseBoolean(value: string, place: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  return refuse(place, value, "true or false");
}

function parseBytes(value: string, place: string): number {
  const match = /^(\d{1,16})\s*(?:([kmgt])i?)?b?$/i.exec(value);
  if (match === null) return refuse(place, value, "a number of bytes such as 268435456 or 256MiB");
  return Number(match[1]) * (UNITS[(match[2] ?? "").toLowerCase()] ?? 1);
}

/** `NAME=PEER,CLIENT`. */
function parseMember(value: string, place: string): MemberSetting {
  const match = /^([^=,]+)=([^=,]+),([^=,]+)$/.exec(value);
  const [, name, peer, client] = match ?? [];
  if (name === undefined || peer === undefined || client === undefined) {
    return refuse(place, value, "NAME=PEER,CLIENT such as 1=127.0.0.1:7101,127.0.0.1:7001");
  }
  return { name, peer, client };
}

function refuse(place: string, value: string, expected: string): never {
  throw new ServerError("CONFIG_INVALID", `${place}: ${JSON.stringify(value)} is not ${expected}`);
}

/** The error for a name nobody knows, with the nearest known one. */
export function unknownKey(place: string, written: string, known: readonly string[]): ServerError {
  const suggestion = didYouMean(written, known);
  return new ServerError(
    "CONFIG_UNKNOWN_KEY",
    `${place}: ${JSON.stringify(written)} is unknown${suggestion === "" ? "" : `; ${suggestion}`}`,
  );
}

/** The option behind a flag (without its value), a variable or a file's key; undefined: none. */
export function optionNamed(
  kind: "flag" | "variable" | "key",
  written: string,
): Option | undefined {
  const nameOf = { flag: flagOf, variable: variableOf, key: (option: Option) => option.name }[kind];
  return OPTIONS.find((option) => nameOf(option) === written);
}
