import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  rmdirSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PIECES = [1_048_576, 65_536, 4_096].map((bytes) => new Uint8Array(bytes));
/** Time between two looks for room that came up, ms. */
const HOLD_MS = 20;

/** Why no file system can be mounted here; null if one can. It takes root. */
export function cannotMount(): string | null {
  const directory = mkdtempSync(join(tmpdir(), "quorate-mount-"));
  try {
    new SmallDisk(directory, 1_048_576).unmount();
    return null;
  } catch (error) {
    return String(error);
  } finally {
    rmdirSync(directory);
  }
}

/** A small file system in memory, mounted on a directory, that something else than the server can fill. */
export class SmallDisk {
  readonly #directory: string;
  readonly #filler: string;
  #holding: NodeJS.Timeout | null = null;

  constructor(directory: string, bytes: number) {
    this.#directory = directory;
    this.#filler = join(directory, "of-somebody-else");
    mkdirSync(directory, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory], {
      stdio: "pipe",
    });
  }

  /** From now on nothing is free: what others give up is taken at once. */
  fill(): void {
    this.#take();
    this.#holding ??= setInterval(() => this.#take(), HOLD_MS);
  }

  /** No more than so much is free, once. */
  fillTo(freeBytes: number): void {
    const { bsize, bavail } = statfsSync(this.#directory);
    const more = Math.max(0, bsize * bavail - freeBytes);
    writeFileSync(this.#filler, new Uint8Array(more), { flag: "a" });
  }

  free(): void {
    if (this.#holding !== null) clearInterval(this.#holding);
    this.#holding = null;
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    this.free();
    execFileSync("umount", [this.#directory], { stdio: "pipe" });
  }

  #take(): void {
    const file = openSync(this.#filler, "a");
    try {
      for (const piece of PIECES) while (isTaken(file, piece));
    } finally {
      closeSync(file);
    }
  }
}

/** False: there was not room for all of it. */
function isTaken(file: number, piece: Uint8Array): boolean {
  try {
    return writeSync(file, piece) === piece.length;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") return false;
    throw error;
  }
}
