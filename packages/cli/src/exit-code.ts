/** What `quorate` exits with. Documented in docs/cli.md and shown by `quorate --help`. */
export const EXIT_CODES = {
  /** Done. */
  ok: 0,
  /** The service refused, or something failed that no other code names. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** No such znode, no such member. */
  notFound: 3,
  /** The tree is not as the command demands: it exists already, has another version, is not empty, is fenced; or the ensemble is. */
  conflict: 4,
  /** No server could be reached, or the ensemble has no quorum. */
  unavailable: 5,
  /** What is on disk is damaged. */
  damaged: 6,
  /** The time given with --timeout or --wait passed. As `timeout` of coreutils. */
  timedOut: 124,
  /** The lock or leadership was lost, or the session expired; the command was stopped. */
  lost: 125,
  /** The command to run was found but could not be started. As shells do. */
  notExecutable: 126,
  /** The command to run was not found. As shells do. */
  commandNotFound: 127,
  /** Interrupted while it waited: for a lock, for a change of the members, for an answer. As shells do for SIGINT. */
  interrupted: 130,
} as const;

/** One of {@link EXIT_CODES}, or a code passed on from a command that was run. */
export type ExitCode = number;

/** Exit code of something that died of a signal: 128 and the signal's number, as shells do. */
export function exitCodeOfSignal(signalNumber: number): ExitCode {
  return 128 + signalNumber;
}

/** The table that the help shows. */
export const EXIT_CODE_HELP: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT_CODES.ok, "done"],
  [EXIT_CODES.failed, "the service refused it, or something else failed"],
  [EXIT_CODES.usage, "wrong command line; nothing was tried"],
  [EXIT_CODES.notFound, "no such znode, no such member"],
  [
    EXIT_CODES.conflict,
    "conflict: exists already, other version, not empty, lock held, fenced, quorum at risk",
  ],
  [EXIT_CODES.unavailable, "no server reached, or no quorum"],
  [
    EXIT_CODES.damaged,
    "damage found by wal verify, wal dump, image verify, snapshot verify, snapshot restore, recover, trace replay",
  ],
  [EXIT_CODES.timedOut, "--timeout or --wait passed"],
  [EXIT_CODES.lost, "lock, elect: lost while the command ran; it was stopped. Session expired"],
  [EXIT_CODES.notExecutable, "lock, elect: the command cannot be started"],
  [EXIT_CODES.commandNotFound, "lock, elect: the command was not found"],
  [EXIT_CODES.interrupted, "lock, elect, member, recover: interrupted while waiting"],
];
