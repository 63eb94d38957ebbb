import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import { resolve } from "node:path";
import {
  formatHostPort,
  isLoopback,
  parseAddresses,
  parseHostPort,
  type HostPort,
} from "./config/address.ts";
import {
  OPTIONS,
  flagOf,
  variableOf,
  type LogFormat,
  type LogLevel,
  type MemberSetting,
  type ServerSettings,
} from "./config/option.ts";
import { checkSettings, mergeSettings, type SettingsSource } from "./config/settings.ts";
import { readEnvironment, readFlags, readToml } from "./config/sources.ts";
import { ServerError } from "./errors.ts";
import { SERVER_LIMITS, validateLimits, type ServerLimits } from "./limits.ts";
import { checkFormation } from "./membership/formation.ts";
import type { Entrance } from "./peer/envelope.ts";

/** One of the nodes an ensemble is formed of. */
export interface ConfiguredMember {
  readonly name: string;
  /** `host:port`, or several separated by `|`. */
  readonly peerAddress: string;
  readonly clientAddress: string;
}

/** One listener: where it is and how it is reached. */
export interface ListenerConfig {
  readonly listen: HostPort;
  /** `host:port` under which others reach the listener; for peers several are separated by `|`. */
  readonly advertise: string;
}

/** Times in ms. Heartbeat and election timeout are multiples of the tick. */
export interface TimingConfig {
  readonly tickMs: number;
  readonly heartbeatMs: number;
  /** Elections start after a silence drawn from this to twice this. */
  readonly electionTimeoutMs: number;
}

/** Bounds of session timeouts, ms. */
export interface SessionConfig {
  /** What clients ask for is brought into these bounds. */
  readonly timeoutMinMs: number;
  readonly timeoutMaxMs: number;
}

/** A recording of everything that happens to the core. */
export interface TraceConfig {
  /** Absolute. */
  readonly file: string;
  /** The trace ends when the file has become as long as this. */
  readonly bytesMax: number;
}

/** Everything one server is told at its start. Frozen. */
export interface ServerConfig {
  readonly name: string;
  /** Absolute. */
  readonly dataDirectory: string;
  /** Initial members, this node among them, sorted by name. */
  readonly members: readonly ConfiguredMember[];
  readonly peer: ListenerConfig;
  readonly client: ListenerConfig;
  readonly timing: TimingConfig;
  readonly sessions: SessionConfig;
  readonly limits: ServerLimits;
  readonly allowedOrigins: readonly string[];
  readonly insecure: boolean;
  readonly entrance: Entrance;
  readonly repair: boolean;
  readonly priority: number;
  /** Between two looks for damage in what is stored; 0: never. */
  readonly scrubIntervalMs: number;
  /** A leader answers linearizable reads on a lease. */
  readonly leaseReads: boolean;
  /** The process stops when its standard input ends. */
  readonly stopWithStdin: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Null: nobody traces the core. */
  readonly trace: TraceConfig | null;
  /** To be shown at every start. */
  readonly warnings: readonly string[];
}

/** What {@link parseServerConfig} reads. */
export interface ConfigInput {
  /** Without the program's own name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
  /** Relative data directories stand in it. Default: the process's own. */
  readonly workingDirectory?: string;
}

const DEFAULTS = {
  name: "1",
  peerListen: "127.0.0.1:7101",
  clientListen: "127.0.0.1:7001",
  tickMs: 20,
  heartbeatMs: 100,
  electionTimeoutMs: 600,
  priority: 100,
  // Some minutes of a busy node, hours of an idle one.
  traceBytesMax: 268_435_456,
  /** Once a day: damage that is found weeks later may stand on another node too by then. */
  scrubIntervalMs: 86_400_000,
} as const;

/** An election timeout below this many heartbeats would be caused by a single lost one. */
export const HEARTBEATS_PER_ELECTION_MIN = 3;

/**
 * Reads a configuration. Flags win over the environment, it over the file, it over the defaults. Throws a `ServerError`:
 * CONFIG_UNKNOWN_KEY, CONFIG_INVALID or INSECURE_ADDRESS, each saying where and what to do.
 */
export function parseServerConfig(input: ConfigInput): ServerConfig {
  const flags = readFlags(input.argv);
  const environment = readEnvironment(input.env);
  const sources: SettingsSource[] = [environment, flags];
  const file = flags.configFile ?? environment.configFile;
  if (file !== null) sources.unshift(readConfigFile(file, input.readFile));
  return buildConfig(mergeSettings(sources), input.workingDirectory);
}

/** A configuration out of settings that a program made; checked like one that was read. */
export function createServerConfig(
  settings: ServerSettings,
  workingDirectory?: string,
): ServerConfig {
  return buildConfig(checkSettings(settings), workingDirectory);
}

/** Lists every flag with its meaning. */
export function serverConfigHelp(): string {
  const lines = [
    "Usage: quorate-server [--config FILE] [flags]",
    "",
    "Every setting is a flag, a variable QUORATE_… of the environment and a key of the TOML file",
    "(--name, QUORATE_NAME, name; members are [[members]] tables with name, peer and client).",
    "Flags win over the environment, it over the file.",
    "",
    "  --config FILE",
    "      Read settings from this TOML file first. Also QUORATE_CONFIG",
  ];
  for (const option of OPTIONS) {
    lines.push(`  ${flagOf(option)}${option.value === "" ? "" : ` ${option.value}`}`);
    lines.push(`      ${option.help}. Also ${variableOf(option)}`);
  }
  return `${lines.join("\n")}\n`;
}

function readConfigFile(file: string, readFile: (path: string) => string): SettingsSource {
  let document: string;
  try {
    document = readFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServerError(
      "CONFIG_INVALID",
      `cannot read the configuration ${file}: ${reason}`,
      error,
    );
  }
  return readToml(document, file);
}

function buildConfig(settings: ServerSettings, workingDirectory?: string): ServerConfig {
  const members = membersOf(settings);
  const name = nameOf(settings, members);
  const own = members.find((member) => member.name === name);
  if (own === undefined) throw notAMember(name, members);
  const limits = limitsOf(settings);
  validateLimits(limits);
  const base = workingDirectory === undefined ? [] : [workingDirectory];
  const peer = listenerOf(own.peerAddress, settings.peerListen, settings.peerAdvertise, "peer");
  const client = listenerOf(
    own.clientAddress,
    settings.clientListen,
    settings.clientAdvertise,
    "client",
  );
  const ownAsMet = { name, peerAddress: peer.advertise, clientAddress: client.advertise };
  checkFormation(members.map((member) => (member === own ? ownAsMet : member)));
  const insecure = settings.insecure ?? false;
  return deepFreeze({
    name,
    dataDirectory: resolve(...base, settings.dataDirectory ?? `data/${name}`),
    members,
    peer,
    client,
    timing: timingOf(settings),
    sessions: sessionsOf(settings),
    limits,
    allowedOrigins: (settings.allowedOrigins ?? []).map(checkOrigin),
    insecure,
    entrance: entranceOf(settings, members),
    repair: settings.repair ?? true,
    priority: settings.priority ?? DEFAULTS.priority,
    scrubIntervalMs: settings.scrubIntervalMs ?? DEFAULTS.scrubIntervalMs,
    leaseReads: settings.leaseReads ?? false,
    stopWithStdin: settings.stopWithStdin ?? false,
    logLevel: settings.logLevel ?? "info",
    logFormat: settings.logFormat ?? "auto",
    trace: traceOf(settings, base),
    warnings: warningsOf(peer, client, insecure),
  });
}

function membersOf(settings: ServerSettings): readonly ConfiguredMember[] {
  const alone: MemberSetting = {
    name: settings.name ?? DEFAULTS.name,
    peer: settings.peerAdvertise ?? settings.peerListen ?? DEFAULTS.peerListen,
    client: settings.clientAdvertise ?? settings.clientListen ?? DEFAULTS.clientListen,
  };
  const members = (settings.members ?? [alone]).map(readMember);
  checkUnique(members);
  return members.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readMember(member: MemberSetting): ConfiguredMember {
  const peer = parseAddresses(member.peer, `peer address of member ${member.name}`);
  const client = parseHostPort(member.client, `client address of member ${member.name}`);
  return {
    name: member.name,
    peerAddress: peer.map(formatHostPort).join("|"),
    clientAddress: formatHostPort(client),
  };
}

function checkUnique(members: readonly ConfiguredMember[]): void {
  const names = new Set<string>();
  const addresses = new Map<string, string>();
  for (const member of members) {
    if (names.has(member.name)) {
      throw invalid(`two members are named ${member.name}; give each a name of its own`);
    }
    names.add(member.name);
    for (const address of [...member.peerAddress.split("|"), member.clientAddress]) {
      const other = addresses.get(address);
      if (other !== undefined) {
        const who =
          other === member.name ? `member ${other} twice` : `members ${other} and ${member.name}`;
        throw invalid(`${address} belongs to ${who}; every listener needs an address of its own`);
      }
      addresses.set(address, member.name);
    }
  }
}

function nameOf(settings: ServerSettings, members: readonly ConfiguredMember[]): string {
  if (settings.name !== undefined) return settings.name;
  const only = members.length === 1 ? members[0] : undefined;
  if (only !== undefined) return only.name;
  const names = members.map((member) => member.name).join(", ");
  throw invalid(`say with --name which of the members (${names}) this node is`);
}

function entranceOf(
  { join = false, rejoin = false }: ServerSettings,
  members: readonly ConfiguredMember[],
): Entrance {
  if (join && rejoin) {
    throw invalid("join is for a new member, rejoin for one whose data was lost: say one of both");
  }
  if (!join && !rejoin) return "member";
  const entrance = join ? "join" : "rejoin";
  // It would ask nobody, for ever.
  if (members.length === 1) {
    throw invalid(
      `--${entrance} asks members to take this node in: name with --member at least one member of the ensemble, beside this node`,
    );
  }
  return entrance;
}

function notAMember(name: string, members: readonly ConfiguredMember[]): ServerError {
  const names = members.map((member) => member.name).join(", ");
  return invalid(
    `this node is named ${name}, but the members are ${names}; correct --name or add it with --member`,
  );
}

function listenerOf(
  own: string,
  listen: string | undefined,
  advertise: string | undefined,
  kind: "peer" | "client",
): ListenerConfig {
  const addresses = parseAddresses(own, `own ${kind} address`);
  const first = addresses[0];
  if (listen === undefined && (first === undefined || addresses.length > 1)) {
    throw invalid(
      `this node has several ${kind} addresses; say with --${kind}-listen where it listens, such as 0.0.0.0:7101`,
    );
  }
  const advertised = advertise ?? own;
  const parsed =
    kind === "peer"
      ? parseAddresses(advertised, "--peer-advertise")
      : [parseHostPort(advertised, "--client-advertise")];
  const at = listen === undefined ? first : parseHostPort(listen, `--${kind}-listen`);
  if (at === undefined) throw invalid(`own ${kind} address is empty`);
  for (const address of parsed) checkReachable(address, kind);
  return { listen: at, advertise: parsed.map(formatHostPort).join("|") };
}

function checkReachable(address: HostPort, kind: "peer" | "client"): void {
  if (address.host !== "0.0.0.0" && address.host !== "::") return;
  throw invalid(
    `${formatHostPort(address)} cannot be dialled; say with --${kind}-advertise how others reach this node`,
  );
}

function timingOf(settings: ServerSettings): TimingConfig {
  const tickMs = settings.tickMs ?? DEFAULTS.tickMs;
  const heartbeatMs = settings.heartbeatMs ?? DEFAULTS.heartbeatMs;
  const electionTimeoutMs = settings.electionTimeoutMs ?? DEFAULTS.electionTimeoutMs;
  if (heartbeatMs % tickMs !== 0 || electionTimeoutMs % tickMs !== 0) {
    throw invalid(
      `heartbeat-ms (${heartbeatMs}) and election-timeout-ms (${electionTimeoutMs}) must be multiples of tick-ms (${tickMs})`,
    );
  }
  if (electionTimeoutMs < HEARTBEATS_PER_ELECTION_MIN * heartbeatMs) {
    throw invalid(
      `election-timeout-ms (${electionTimeoutMs}) must be at least ${HEARTBEATS_PER_ELECTION_MIN} times heartbeat-ms (${heartbeatMs}), or lost heartbeats cause elections`,
    );
  }
  return { tickMs, heartbeatMs, electionTimeoutMs };
}

function sessionsOf(settings: ServerSettings): SessionConfig {
  const least = PROTOCOL_LIMITS.sessionTimeoutMinMs;
  const most = PROTOCOL_LIMITS.sessionTimeoutMaxMs;
  const timeoutMinMs = settings.sessionTimeoutMinMs ?? least;
  const timeoutMaxMs = settings.sessionTimeoutMaxMs ?? most;
  if (timeoutMinMs < least || timeoutMaxMs > most || timeoutMinMs > timeoutMaxMs) {
    throw invalid(
      `session-timeout-min-ms (${timeoutMinMs}) and session-timeout-max-ms (${timeoutMaxMs}) must rise and lie between ${least} and ${most}`,
    );
  }
  return { timeoutMinMs, timeoutMaxMs };
}

function limitsOf(settings: ServerSettings): ServerLimits {
  const { tree, raft, client, disk, storage } = SERVER_LIMITS;
  return {
    ...SERVER_LIMITS,
    tree: {
      ...tree,
      bytesMax: settings.treeBytesMax ?? tree.bytesMax,
      sessionsMax: settings.sessionsMax ?? tree.sessionsMax,
    },
    raft: { ...raft, memoryLogBytesMax: settings.memoryLogBytesMax ?? raft.memoryLogBytesMax },
    client: { ...client, connectionsMax: settings.clientConnectionsMax ?? client.connectionsMax },
    disk: {
      freeBytesMin: settings.diskFreeBytesMin ?? disk.freeBytesMin,
      reserveBytes: settings.diskReserveBytes ?? disk.reserveBytes,
    },
    storage: {
      ...storage,
      segmentBytes: settings.logSegmentBytes ?? storage.segmentBytes,
      checkpointBytes: settings.checkpointBytes ?? storage.checkpointBytes,
    },
  };
}

function traceOf(settings: ServerSettings, base: readonly string[]): TraceConfig | null {
  const { trace, traceBytesMax } = settings;
  if (trace !== undefined) {
    return { file: resolve(...base, trace), bytesMax: traceBytesMax ?? DEFAULTS.traceBytesMax };
  }
  if (traceBytesMax === undefined) return null;
  throw invalid("trace-bytes-max bounds a trace: say with --trace where it is to be");
}

function checkOrigin(origin: string): string {
  let parsed: string | null = null;
  try {
    parsed = new URL(origin).origin;
  } catch {
    // Told below, together with what parses but is more than an origin.
  }
  if (parsed === origin && parsed !== "null") return origin;
  throw invalid(
    `allowed-origins: ${JSON.stringify(origin)} is no origin; write scheme://host or scheme://host:port, without a path`,
  );
}

function warningsOf(
  peer: ListenerConfig,
  client: ListenerConfig,
  insecure: boolean,
): readonly string[] {
  const warnings: string[] = [];
  for (const [kind, { listen }] of [
    ["peer", peer],
    ["client", client],
  ] as const) {
    if (isLoopback(listen.host)) continue;
    const address = formatHostPort(listen);
    if (!insecure) {
      throw new ServerError(
        "INSECURE_ADDRESS",
        `the ${kind} listener ${address} can be reached from other machines, and nothing on it is encrypted or authenticated; listen on 127.0.0.1, or accept that with --insecure`,
      );
    }
    warnings.push(
      `the ${kind} listener ${address} can be reached from other machines without encryption or authentication`,
    );
  }
  return warnings;
}

function invalid(message: string): ServerError {
  return new ServerError("CONFIG_INVALID", message);
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value) as readonly unknown[]) {
    if (typeof inner === "object" && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
