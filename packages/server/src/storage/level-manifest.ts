import { LevelLogReader } from "./level-log.ts";
import { LevelReader } from "./level-reader.ts";

/** What an edit of the manifest consists of, by LevelDB's tags (db/version_edit.cc). */
const TAG = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

/**
 * The tables that an image stands on according to its manifest, by number: how many bytes LevelDB wrote to each. Null: it is
 * not whole, which LevelDB finds itself when it opens the image.
 */
export function tablesOf(manifest: Uint8Array): ReadonlyMap<number, number> | null {
  const tables = new Map<number, number>();
  let isWhole = true;
  const log = new LevelLogReader((edit) => {
    isWhole &&= take(new LevelReader(edit), tables);
  });
  log.add(manifest);
  return isWhole && !log.hasDamage ? tables : null;
}

/** False: it says something that no edit says. */
function take(edit: LevelReader, tables: Map<number, number>): boolean {
  while (!edit.isAtEnd) {
    if (!takeField(edit, tables)) return false;
  }
  return true;
}

function takeField(edit: LevelReader, tables: Map<number, number>): boolean {
  switch (edit.number()) {
    case TAG.comparator:
      return edit.skipText();
    case TAG.logNumber:
    case TAG.nextFile:
    case TAG.lastSequence:
    case TAG.previousLog:
      return edit.number() !== null;
    case TAG.compactPointer:
      return edit.number() !== null && edit.skipText();
    case TAG.deletedFile: {
      const [level, number] = [edit.number(), edit.number()];
      if (level === null || number === null) return false;
      tables.delete(number);
      return true;
    }
    case TAG.newFile: {
      const [level, number, bytes] = [edit.number(), edit.number(), edit.number()];
      if (level === null || number === null || bytes === null) return false;
      tables.set(number, bytes);
      return edit.skipText() && edit.skipText();
    }
    default:
      return false;
  }
}
