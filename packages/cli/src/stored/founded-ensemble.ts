import {
  parseServerConfig,
  refuseUsed,
  ServerError,
  systemPorts,
  type FoundedEnsemble,
  type RecoveryTarget,
  type ServerConfig,
} from "@quorate/server";
import { rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { usageError } from "../cli-error.ts";
import type { CliContext } from "../context.ts";
import { counted } from "../format/counted.ts";
import { storedDataError } from "./stored-data.ts";

type FoundingMember = NonNullable<RecoveryTarget["member"]>;

/** The one member that a new ensemble begins with. */
export interface Founder {
  readonly member: FoundingMember;
  /** As the command line named it. */
  readonly flag: string;
  /** Other machines reach its addresses, which a server takes with `--insecure` alone. */
  readonly isExposed: boolean;
}

/**
 * Reads `NAME=PEER,CLIENT`, as `quorate-server --member` does. Addresses that other machines reach are taken: nothing listens
 * on them yet. Throws a usage error.
 */
export function readFounder(flag: string): Founder {
  try {
    const [member] = configFor(flag, "--insecure").members;
    if (member !== undefined) return { member, flag, isExposed: isExposed(flag) };
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw usageError(error.text, HOW_TO_NAME);
  }
  throw usageError(`${JSON.stringify(flag)} names no member`, HOW_TO_NAME);
}

const HOW_TO_NAME = "write NAME=PEER,CLIENT such as 1=127.0.0.1:7101,127.0.0.1:7001";

/** What a server has by itself that is started with this member. */
function configFor(flag: string, ...others: readonly string[]): ServerConfig {
  const argv = ["--member", flag, ...others];
  return parseServerConfig({ argv, env: {}, readFile: () => "" });
}

function isExposed(flag: string): boolean {
  try {
    configFor(flag);
    return false;
  } catch (error) {
    if (error instanceof ServerError && error.code === "INSECURE_ADDRESS") return true;
    throw error;
  }
}

/**
 * What there is now, and how it goes on from here: command lines that work as they are, but for HOST where others are on
 * machines of their own. `runner` stands before each of them.
 */
export function formatFounded(
  founded: Omit<FoundedEnsemble, "nodeId">,
  founder: Founder,
  runner: string,
): string {
  const { directory, name, clusterId, historyId, zxid, digest } = founded;
  const { member, isExposed } = founder;
  const other = joiningAfter(founder);
  const limits = limitFlags(founded, founder);
  const server = (flags: string, itsDirectory: string): string =>
    `  ${runner}quorate-server ${flags} --member ${shellWord(founder.flag)} ` +
    `--data-directory ${shellWord(itsDirectory)}${limits}${isExposed ? " --insecure" : ""}\n`;
  return (
    `${directory} is node ${name} of ensemble ${clusterId}, history ${historyId}: zxid ${zxid}, ` +
    `${counted(founded.znodes, "znode")}, ${counted(founded.sessions, "session")}, digest ${digest}\n\n` +
    `start it:\n${server(`--name ${name}`, directory)}` +
    "then let others join it, each with a name, two addresses and an empty data directory of its own, such as" +
    `${isExposed ? " (HOST: where its machine is reached)" : ""}\n` +
    server(
      `--name ${other.name} --join --member ${shellWord(other.flag)}`,
      `${directory}-${other.name}`,
    ) +
    `  ${runner}quorate member add ${other.name} --servers ${shellWord(member.clientAddress)}\n`
  );
}

/** What a server has to be told of the ensemble's limits: those that it would not have by itself. */
function limitFlags({ limits }: Pick<FoundedEnsemble, "limits">, { flag }: Founder): string {
  const own = configFor(flag, "--insecure").limits.tree;
  const bytes = ` --tree-bytes-max ${limits.bytesMax}`;
  const sessions = ` --sessions-max ${limits.sessionsMax}`;
  return (
    (limits.bytesMax === own.bytesMax ? "" : bytes) +
    (limits.sessionsMax === own.sessionsMax ? "" : sessions)
  );
}

/** A node that could join: beside the founder, where that is reached from this machine alone, else at its ports elsewhere. */
function joiningAfter({ member, isExposed }: Founder): {
  readonly name: string;
  readonly flag: string;
} {
  const name = /^\d{1,15}$/.test(member.name) ? String(Number(member.name) + 1) : "other";
  const [peer, client] = [hostAndPort(member.peerAddress), hostAndPort(member.clientAddress)];
  if (isExposed) return { name, flag: `${name}=HOST:${peer.port},HOST:${client.port}` };
  const step = Math.abs(peer.port - client.port) === 1 ? 2 : 1;
  const beside = ({ host, port }: typeof peer): string =>
    `${host}:${port + step > PORT_MAX ? port - step : port + step}`;
  return { name, flag: `${name}=${beside(peer)},${beside(client)}` };
}

const PORT_MAX = 65_535;

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** As a shell takes it for one word. */
function shellWord(text: string): string {
  return /^[\w./:=,@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Founds in `directory`. Where that fails, folders that it had to make are gone again, and the error says what to do. */
export async function foundingIn<T>(directory: string, found: () => Promise<T>): Promise<T> {
  const missing = await missingFolders(directory);
  try {
    return await found();
  } catch (error) {
    await removeEmpty(missing);
    throw foundingError(error, directory);
  }
}

/** From `directory` upwards. */
async function missingFolders(directory: string): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = directory; !(await isThere(at)); at = dirname(at)) missing.push(at);
  return missing;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    // The root is there for whoever may look.
    return dirname(path) === path;
  }
}

/** Up to the first that holds anything. */
async function removeEmpty(folders: readonly string[]): Promise<void> {
  try {
    for (const folder of folders) await rmdir(folder);
  } catch {
    // The error that is on its way says more.
  }
}

/**
 * The absolute path of a folder that a command line names and that a data directory can be made of: nothing is there yet, or an
 * empty folder. Throws a usage error otherwise; what else may be in the way is found when it is made.
 */
export async function newDirectory(
  { workingDirectory }: Pick<CliContext, "workingDirectory">,
  directory: string,
): Promise<string> {
  const path = resolve(workingDirectory, directory);
  try {
    await refuseUsed(systemPorts().files, path);
    return path;
  } catch (error) {
    throw foundingError(error, path);
  }
}

/** Why nothing was founded in `directory`, and what to do about it. */
function foundingError(error: unknown, directory: string): unknown {
  if (!(error instanceof ServerError)) return error;
  switch (error.code) {
    case "CONFIG_INVALID":
      // What it says itself is for a server's operator: it ends with advice of its own.
      return usageError(
        `${directory} cannot be the data directory: there, or on the way there, is a file`,
        NAME_ANOTHER_FOLDER,
      );
    case "DIRECTORY_IN_USE":
      return usageError(error.text, NAME_ANOTHER_FOLDER);
    case "STORAGE_FAILED":
    case "STORAGE_FULL":
      // Nothing of what is read: the new directory.
      return error;
    default:
      return storedDataError(error, "nothing can begin with it", HINT_FOR_DAMAGED_SOURCE);
  }
}

const NAME_ANOTHER_FOLDER = "name a folder that does not exist yet, or an empty one";

/** What an ensemble was to begin with is damaged. */
export const HINT_FOR_DAMAGED_SOURCE = "take another backup, or another node's data directory";
