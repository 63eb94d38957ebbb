import type { Entry } from "@quorate/raft";
import { ServerError } from "../errors.ts";
import type { Files } from "../ports.ts";
import { decodeEntries } from "./entry-codec.ts";
import { FileWindow } from "./file-window.ts";
import { SECTOR_BYTES, segmentName, wholeSectors } from "./log-format.ts";
import type { LogPoint } from "./log-index.ts";
import { decodeRecordHeader, isIntact, recordBody } from "./log-record.ts";

const WINDOW_BYTES = 131_072;

export interface ReadRequest {
  readonly from: number;
  /** The entry before `from` comes as well, first and not counted. */
  readonly withPrevious: boolean;
  readonly to: number;
  /** Of command data; at least one entry comes, however large. */
  readonly bytesMax: number;
  /** Points that cover all of it, in order. */
  readonly points: readonly LogPoint[];
  saltOf(segment: number): number;
}

/** Reads entries back from segments. Every record is verified again: a disk may have changed it since the start. */
export async function readEntries(
  files: Files,
  directory: string,
  request: ReadRequest,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let bytesLeft = request.bytesMax;
  for (const [at, point] of request.points.entries()) {
    const until = Math.min(request.to, (request.points[at + 1]?.index ?? Infinity) - 1);
    bytesLeft = await readRun(files, directory, { request, point, until, entries, bytesLeft });
    if (bytesLeft < 0 || (entries.at(-1)?.index ?? 0) >= request.to) break;
  }
  return entries;
}

interface Run {
  readonly request: ReadRequest;
  readonly point: LogPoint;
  readonly until: number;
  readonly entries: Entry[];
  readonly bytesLeft: number;
}

/** Walks from one point to the next; returns how many bytes may still come, below 0 for no more. */
async function readRun(files: Files, directory: string, run: Run): Promise<number> {
  const { point, request, entries } = run;
  const name = segmentName(point.segment);
  const path = `${directory}/${name}`;
  const file = await files.open(path, { create: false, durable: false });
  try {
    const window = new FileWindow(file, WINDOW_BYTES);
    const salt = request.saltOf(point.segment);
    let bytesLeft = run.bytesLeft;
    let position = point.position;
    let next = Math.max(request.from - (request.withPrevious ? 1 : 0), point.index);
    while (next <= run.until) {
      const { block, extent } = await readRecord(window, position, salt, name);
      position += extent;
      for (const entry of decodeEntries(block)) {
        if (entry.index !== next || next > run.until) continue;
        if (next >= request.from) {
          bytesLeft -= entry.kind === "command" ? entry.data.length : 0;
          if (bytesLeft < 0 && next > request.from) return bytesLeft;
        }
        entries.push(entry);
        next += 1;
      }
    }
    return bytesLeft;
  } finally {
    await file.close();
  }
}

async function readRecord(
  window: FileWindow,
  position: number,
  salt: number,
  name: string,
): Promise<{ readonly block: Uint8Array; readonly extent: number }> {
  const header = decodeRecordHeader(await window.at(position, SECTOR_BYTES), salt);
  if (header !== null) {
    const record = await window.at(position, header.length);
    if (record.length === header.length && isIntact(record, header, salt)) {
      return { block: recordBody(record, header).block, extent: wholeSectors(header.length) };
    }
  }
  throw new ServerError("LOG_CORRUPT", `${name} changed at ${position} since it was written`);
}
