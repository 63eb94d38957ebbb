import { CommanderError, type Command } from "commander";
import { usageError, type CliError } from "./cli-error.ts";
import { asServerHelp } from "./commands/server-command.ts";
import type { CliContext } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-code.ts";
import { failureOf, type Failure } from "./failure.ts";
import { jsonLine } from "./format/json.ts";
import { createProgram } from "./program.ts";

/** Runs one command line (without the names of node and script) and returns what to exit with. Never rejects. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT_CODES.ok;
  const isJson = wantsJson(argv);
  const program = createProgram(context, (code) => {
    exitCode = code;
  });
  // What commander says of a wrong command line comes as JSON below.
  if (isJson) silence(program);
  try {
    await program.parseAsync([...asServerHelp(argv)], { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has written its message already; help and version end this way too, with code 0.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT_CODES.ok;
      if (isJson) context.err.write(failureJson(failureOf(usageErrorOf(error))));
      return EXIT_CODES.usage;
    }
    const failure = failureOf(error);
    context.err.write(isJson ? failureJson(failure) : failureText(failure));
    return failure.exitCode;
  }
}

function silence(command: Command): void {
  command.configureOutput({ outputError: () => undefined }).showHelpAfterError(false);
  for (const below of command.commands) silence(below);
}

function usageErrorOf(error: CommanderError): CliError {
  return usageError(error.message.replace(/^error: /, ""), "--help explains it");
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? argv.length : end).includes("--json");
}

function failureText(failure: Failure): string {
  const hint = failure.hint === "" ? "" : `  ${failure.hint}\n`;
  return `error: ${failure.message}\n${hint}`;
}

function failureJson({ code, message, hint, exitCode }: Failure): string {
  return jsonLine({ error: { code, message, hint, exitCode } });
}
