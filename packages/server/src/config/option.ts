/** How the text of a flag or of an environment variable becomes a value. */
export type OptionKind = "text" | "integer" | "bytes" | "boolean" | "list" | "members";

/** One initial member as written down by the operator. */
export interface MemberSetting {
  readonly name: string;
  /** `host:port` of its peer listener; several, separated by `|`, if it has several networks. */
  readonly peer: string;
  /** `host:port` of its client listener. */
  readonly client: string;
}

/** Everything that can be set, before it was checked. What is missing takes its default. */
export interface ServerSettings {
  readonly name?: string;
  readonly dataDirectory?: string;
  readonly members?: readonly MemberSetting[];
  readonly peerListen?: string;
  readonly clientListen?: string;
  readonly peerAdvertise?: string;
  readonly clientAdvertise?: string;
  readonly join?: boolean;
  readonly rejoin?: boolean;
  readonly repair?: boolean;
  readonly priority?: number;
  readonly leaseReads?: boolean;
  readonly scrubIntervalMs?: number;
  readonly insecure?: boolean;
  readonly stopWithStdin?: boolean;
  readonly allowedOrigins?: readonly string[];
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
  readonly tickMs?: number;
  readonly heartbeatMs?: number;
  readonly electionTimeoutMs?: number;
  readonly sessionTimeoutMinMs?: number;
  readonly sessionTimeoutMaxMs?: number;
  readonly clientConnectionsMax?: number;
  readonly sessionsMax?: number;
  readonly treeBytesMax?: number;
  readonly memoryLogBytesMax?: number;
  readonly diskFreeBytesMin?: number;
  readonly diskReserveBytes?: number;
  readonly logSegmentBytes?: number;
  readonly checkpointBytes?: number;
  readonly trace?: string;
  readonly traceBytesMax?: number;
}

/** What is logged: this level and everything after it. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];
/** How a log line looks: for machines or for people. */
export const LOG_FORMATS = ["auto", "json", "text"] as const;
/** One of {@link LOG_FORMATS}. */
export type LogFormat = (typeof LOG_FORMATS)[number];

/**
 * One setting. Its name is the key in the file and, with dashes, the flag; in capitals after `QUORATE_`, the
 * environment variable.
 */
export interface Option {
  readonly field: keyof ServerSettings;
  readonly name: string;
  readonly kind: OptionKind;
  /** Stands for the value in the help. */
  readonly value: string;
  readonly help: string;
}

const option = (
  field: keyof ServerSettings,
  kind: OptionKind,
  value: string,
  help: string,
): Option => ({
  field,
  name: field.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`),
  kind,
  value,
  help,
});

/** All settings, in the order of the help. */
export const OPTIONS: readonly Option[] = [
  option("name", "text", "NAME", "This node's name among the members. Default: 1"),
  option(
    "dataDirectory",
    "text",
    "DIR",
    "Where log, image and identity are kept. Default: data/NAME",
  ),
  option(
    "members",
    "members",
    "NAME=PEER,CLIENT",
    "An initial member, its peer and its client address; repeat for each, the same on all. Default: this node alone",
  ),
  option(
    "peerListen",
    "text",
    "HOST:PORT",
    "Listen here for other nodes. Default: own member's address",
  ),
  option(
    "clientListen",
    "text",
    "HOST:PORT",
    "Listen here for clients. Default: own member's address",
  ),
  option(
    "peerAdvertise",
    "text",
    "HOST:PORT",
    "Where other nodes reach this one; several separated by |",
  ),
  option("clientAdvertise", "text", "HOST:PORT", "Where clients reach this node"),
  option(
    "join",
    "boolean",
    "",
    "Join an ensemble that exists, once `quorate member add` names this node; the members are then some of its own",
  ),
  option("rejoin", "boolean", "", "The data were lost: ask to be taken in again as a new member"),
  option(
    "repair",
    "boolean",
    "",
    "Damaged data are set aside, and the node comes back as a new member; with false it ends. Default: true",
  ),
  option(
    "leaseReads",
    "boolean",
    "",
    "Leaders answer linearizable reads without asking while a quorum has promised to elect nobody else; the same on all nodes",
  ),
  option(
    "stopWithStdin",
    "boolean",
    "",
    "Stop as on SIGTERM when standard input ends: for a parent that must leave no server behind",
  ),
  option(
    "insecure",
    "boolean",
    "",
    "Allow listening beyond loopback although nothing is encrypted",
  ),
  option(
    "allowedOrigins",
    "list",
    "ORIGIN",
    "Browser origins that may connect, comma separated. Default: none",
  ),
  option("logLevel", "text", "LEVEL", `One of ${LOG_LEVELS.join(", ")}. Default: info`),
  option(
    "logFormat",
    "text",
    "FORMAT",
    `One of ${LOG_FORMATS.join(", ")}. Default: auto, which is text on a terminal and json elsewhere`,
  ),
  option("tickMs", "integer", "MS", "Granularity of the timing below. Default: 20"),
  option("heartbeatMs", "integer", "MS", "A leader's heartbeat interval. Default: 100"),
  option(
    "electionTimeoutMs",
    "integer",
    "MS",
    "Silence after which a node may campaign (up to twice that). Default: 600",
  ),
  option(
    "priority",
    "integer",
    "N",
    "0 to 1000: among nodes that are well the one with the highest ends up leading. Default: 100",
  ),
  option("sessionTimeoutMinMs", "integer", "MS", "Shortest session timeout granted. Default: 1000"),
  option(
    "sessionTimeoutMaxMs",
    "integer",
    "MS",
    "Longest session timeout granted. Default: 600000",
  ),
  option(
    "clientConnectionsMax",
    "integer",
    "COUNT",
    "Client connections to this node, as far as the limit of open files has room for them. Default: 20000",
  ),
  option(
    "sessionsMax",
    "integer",
    "COUNT",
    "Live sessions; the same on every node. Default: 200000",
  ),
  option(
    "treeBytesMax",
    "bytes",
    "BYTES",
    "Size of the tree; the same on every node. Default: 1GiB",
  ),
  option(
    "memoryLogBytesMax",
    "bytes",
    "BYTES",
    "Log kept in memory for slow followers. Default: 64MiB",
  ),
  option(
    "diskFreeBytesMin",
    "bytes",
    "BYTES",
    "Growing writes are refused below this much free disk. Default: 256MiB",
  ),
  option(
    "diskReserveBytes",
    "bytes",
    "BYTES",
    "Size of a file that is given up when the disk is as good as full. Default: 16MiB",
  ),
  option(
    "scrubIntervalMs",
    "integer",
    "MS",
    "Pause between two looks for damage in what is stored; 0: never. Default: 86400000, a day",
  ),
  option(
    "logSegmentBytes",
    "bytes",
    "BYTES",
    "Size of one file of the log, a multiple of 512 from 4096 to 1GiB. Default: 16MiB",
  ),
  option(
    "checkpointBytes",
    "bytes",
    "BYTES",
    "The image is brought up to date after this much was applied, or 200,000 entries. Default: 256MiB",
  ),
  option(
    "trace",
    "text",
    "FILE",
    "Record all that happens to the Raft core, written data too, for `quorate trace replay`. Default: nothing",
  ),
  option(
    "traceBytesMax",
    "bytes",
    "BYTES",
    "The trace ends when it has become as long as this. Default: 256MiB",
  ),
];

/** Flag of an option. A member is named once per flag. */
export function flagOf(option: Option): string {
  return option.kind === "members" ? "--member" : `--${option.name}`;
}

/** Environment variable of an option. */
export function variableOf(option: Option): string {
  return `QUORATE_${option.name.replaceAll("-", "_").toUpperCase()}`;
}
