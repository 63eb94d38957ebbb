import type { Command, CommandStamp } from "./command.ts";

/** Version of the commands in the log. History: 1 = first. */
export const COMMAND_VERSION = 1;

/** Bytes that are no command this build understands. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: "UNKNOWN_VERSION" | "UNKNOWN_KIND" | "MALFORMED";

  constructor(code: "UNKNOWN_VERSION" | "UNKNOWN_KIND" | "MALFORMED", message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** A decoded log entry. */
export interface StampedCommand {
  readonly stamp: CommandStamp;
  readonly command: Command;
}

/** Bytes of a command with room for the stamp, which is zero until {@link stampCommand}. */
export declare function encodeCommand(command: Command): Uint8Array;
/** Writes the leader's stamp in place; fractions of a millisecond are cut off. */
export declare function stampCommand(bytes: Uint8Array, stamp: CommandStamp): void;
/** Throws {@link CommandError} and nothing else. Binary fields alias `bytes`. */
export declare function decodeCommand(bytes: Uint8Array): StampedCommand;
