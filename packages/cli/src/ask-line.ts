import { createInterface, type ReadLineOptions } from "node:readline/promises";
import { CliError } from "./cli-error.ts";
import { EXIT_CODES } from "./exit-code.ts";

/**
 * Asks on a terminal and resolves with the line that is typed, without its end; with "" where the input ends (Ctrl-D). Rejects
 * with a `CliError` ABORTED for Ctrl-C: whoever asks goes no further, and `hint` says what to do instead.
 */
export async function askLine(
  question: string,
  hint: string,
  terminal: ReadLineOptions,
): Promise<string> {
  const lines = createInterface(terminal);
  try {
    return await new Promise<string>((resolve, reject) => {
      // The cursor stays behind the question: what is said next would follow it there.
      const leave = (settle: () => void): void => {
        lines.off("close", onClose);
        terminal.output?.write("\n");
        settle();
      };
      const onClose = (): void => leave(() => resolve(""));
      lines.once("close", onClose);
      lines.once("SIGINT", () => leave(() => reject(interrupted(hint))));
      lines.question(question).then((line) => {
        lines.off("close", onClose);
        resolve(line);
      }, reject);
    });
  } finally {
    lines.close();
  }
}

function interrupted(hint: string): CliError {
  return new CliError("ABORTED", "interrupted", { exitCode: EXIT_CODES.interrupted, hint });
}
