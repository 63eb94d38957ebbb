import { membersMax } from "@quorate/raft";
import { assert } from "../assert.ts";
import { ServerError } from "../errors.ts";
import type { ServerLimits } from "../limits.ts";
import { OPEN_FILES_ADVICE } from "./files-to-load.ts";

/*
 * Sockets and files come out of one number, the process's limit of open files. Where clients take the last of them, the log
 * gets no next segment, and an image no next table, which ends the node: so clients get what is left.
 */

/**
 * Held without anybody asking: Node (25 with the image's thread), log, identity and the image in force (4), and, now and then,
 * the segments to come, an image that is received with its thread, the scrubber, a trace.
 */
const OWN_FILES = 64;
/**
 * LevelDB has 990 tables of each image in use, and 2 images may be there. It maps the first 1,000 of them, for which no file
 * stays open, and keeps no more than a fifth of the limit open for the others.
 */
const TABLES_MAX = 980;
const TABLES_PART = 1 / 5;
/** With fewer than this peers and strangers get a part of what they are given otherwise: links of that many are not to be expected. */
const LIMIT_OF_ALL = 1024;
/** Nobody is served by fewer connections. */
const CONNECTIONS_MIN = 16;
/** Sockets for strangers, however low the limit is. */
const STRANGERS_MIN = 4;

/** Limits that a process can keep to. */
export interface FittedLimits {
  readonly limits: ServerLimits;
  /** What was lowered, and what to do about it. */
  readonly notice: { readonly level: "info" | "warn"; readonly text: string } | null;
}

/**
 * Lowers the connections of clients to those that `filesMax` open files leave room for; null: as many as they like. Throws
 * CONFIG_INVALID where that is next to none.
 */
export function fitOpenFiles(limits: ServerLimits, filesMax: number | null): FittedLimits {
  if (filesMax === null) return { limits, notice: null };
  const configured = limits.client.connectionsMax;
  const enough = configured + OWN_FILES + TABLES_MAX + beside(limits);
  const left = filesMax - reserveOf(limits, filesMax);
  if (left < Math.min(configured, CONNECTIONS_MIN)) {
    throw new ServerError(
      "CONFIG_INVALID",
      `this process may have ${filesMax} files open, sockets among them, which leaves fewer than ${CONNECTIONS_MIN} for clients; ` +
        `raise that to ${LIMIT_OF_ALL} or more ${OPEN_FILES_ADVICE}`,
    );
  }
  assert(left > 0, "fitted_connections");
  const part = partOf(filesMax);
  const fitted = lowered(limits, Math.min(left, configured), part);
  if (left >= configured) return { limits: part < 1 ? fitted : limits, notice: null };
  // With most of what was asked for hardly anybody ever meets the bound.
  const level = left >= configured / 2 ? "info" : "warn";
  return {
    limits: fitted,
    notice: {
      level,
      text:
        `this process may have ${filesMax} files open: clients get ${left} connections instead of ${configured}; ` +
        `raise that to ${enough} ${OPEN_FILES_ADVICE} or lower client-connections-max`,
    },
  };
}

function partOf(filesMax: number): number {
  return Math.min(1, filesMax / LIMIT_OF_ALL);
}

function reserveOf(limits: ServerLimits, filesMax: number): number {
  const tables = Math.min(TABLES_MAX, Math.floor(filesMax * TABLES_PART));
  return OWN_FILES + tables + Math.ceil(beside(limits) * partOf(filesMax));
}

/** Sockets that are no client's connection, and the files that are read for peers: all that there can be. */
function beside({ peer, client }: ServerLimits): number {
  const strangers = 2 * peer.greetingMax + peer.otherSocketsMax + client.otherSocketsMax;
  return peer.linksMax + strangers + 2 * membersMax;
}

/** Links stay as they are: without its peers the node is nothing, and there are no more of them than members. */
function lowered(limits: ServerLimits, connectionsMax: number, part: number): ServerLimits {
  const few = (count: number): number =>
    Math.max(Math.min(STRANGERS_MIN, count), Math.floor(count * part));
  const { peer, client } = limits;
  return {
    ...limits,
    client: { ...client, connectionsMax, otherSocketsMax: few(client.otherSocketsMax) },
    peer: {
      ...peer,
      greetingMax: few(peer.greetingMax),
      otherSocketsMax: few(peer.otherSocketsMax),
    },
  };
}
