import { QuorateError, type QuorateErrorCode } from "@quorate/client";
import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import { CliError } from "./cli-error.ts";
import { EXIT_CODES, type ExitCode } from "./exit-code.ts";

/** How a failure is told to people and to scripts. */
export interface Failure {
  readonly exitCode: ExitCode;
  /** Machine-readable reason; "" where there is none. */
  readonly code: string;
  readonly message: string;
  /** What to do next. */
  readonly hint: string;
}

/** Every error ends here: the one place that maps errors to exit codes and advice. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, code: error.code, message: error.message, hint: error.hint };
  }
  if (error instanceof QuorateError) {
    const advice = adviceFor(error);
    return {
      exitCode: advice.exitCode,
      code: error.code,
      message: withOutcome(error),
      hint: advice.hint,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: EXIT_CODES.failed, code: "", message, hint: "" };
}

/** Where servers say why they take no session, that is what is wrong. */
function adviceFor({ code, cause }: QuorateError): Advice {
  if (code === "CONNECTION_FAILED" && cause instanceof QuorateError) {
    if (cause.code === "DISK_FULL") return NO_ROOM;
    if (cause.code === "TREE_FULL") return TOO_MANY_SESSIONS;
  }
  return ADVICE[code] ?? UNADVISED;
}

interface Advice {
  readonly exitCode: ExitCode;
  readonly hint: string;
}

/** What nobody is to blame for who gave the command. */
const UNADVISED: Advice = {
  exitCode: EXIT_CODES.failed,
  hint: "look at `quorate status`, and at the log of the server that was asked",
};

const advice = (exitCode: ExitCode, hint: string): Advice => ({ exitCode, hint });
const { conflict, failed, interrupted, lost, notFound, timedOut, unavailable, usage } = EXIT_CODES;

const { nameBytesMax, pathBytesMax, pathDepthMax } = PROTOCOL_LIMITS;

const AGAIN = "try again in a moment";
const OTHER_VERSION_OF_SOFTWARE =
  "this command and the server are of different releases: run the one that came with the server";

const NO_ROOM = advice(
  unavailable,
  "free disk space on the servers: there is so little left that no session can be opened; `quorate status` shows how much",
);

const TOO_MANY_SESSIONS = advice(
  unavailable,
  "there are as many sessions as `sessions-max` allows: end clients that are not needed, or wait until sessions of those that went away have expired",
);

const ADVICE: Readonly<Partial<Record<QuorateErrorCode, Advice>>> = {
  NO_NODE: advice(
    notFound,
    "list what is there with `quorate ls`; `quorate create --parents` makes it, and what is missing above it",
  ),
  NODE_EXISTS: advice(conflict, "change it with `quorate set`, or choose another path"),
  BAD_VERSION: advice(
    conflict,
    "somebody changed it: read it again with `quorate stat` and decide anew",
  ),
  NOT_EMPTY: advice(
    conflict,
    "delete its children first, or all of it with `quorate delete --recursive`",
  ),
  NO_CHILDREN_FOR_EPHEMERALS: advice(conflict, "an ephemeral znode cannot be a parent"),
  BAD_PATH: advice(
    usage,
    "paths look like /a/b: absolute, no empty component, no `.` or `..`, no control characters; " +
      `at most ${pathBytesMax} bytes, ${nameBytesMax} a component, and ${pathDepthMax} components`,
  ),
  BAD_ARGUMENTS: advice(usage, "--help of the command explains its arguments"),
  RESERVED_PATH: advice(conflict, "this part of the tree belongs to the service"),
  FENCED: advice(conflict, "the lock has passed on: acquire it again before you write"),
  LOCK_HELD: advice(conflict, "wait for it with `quorate lock NAME -- COMMAND`"),
  LOCK_DIRECTORY: advice(
    conflict,
    "contenders come and go with `quorate lock` and `quorate elect` alone",
  ),
  SEQUENCE_EXHAUSTED: advice(conflict, "its counter is used up: take another parent"),
  TREE_FULL: advice(failed, "delete what is not needed; deletes always pass"),
  TOO_LARGE: advice(
    usage,
    "a znode holds small data: keep the bulk elsewhere and store where it is",
  ),
  SESSION_EXPIRED: advice(
    lost,
    "the service heard nothing of this client for too long; start it again",
  ),
  SESSION_MOVED: advice(lost, "another connection took this session over"),
  OVERLOADED: advice(unavailable, AGAIN),
  NOT_READY: advice(unavailable, "the ensemble has no leader yet: look at `quorate status`"),
  DISK_FULL: advice(unavailable, "free disk space on the servers; reads and deletes still work"),
  SHUTTING_DOWN: advice(unavailable, AGAIN),
  UNSUPPORTED_VERSION: advice(failed, OTHER_VERSION_OF_SOFTWARE),
  WRONG_PORT: advice(usage, "name the ports for clients with --servers or QUORATE_SERVERS"),
  UNKNOWN_OPERATION: advice(failed, OTHER_VERSION_OF_SOFTWARE),
  HISTORY_CHANGED: advice(
    failed,
    "the ensemble was restored: start anew, nothing seen before counts",
  ),
  ABORTED: advice(interrupted, "what was begun may have taken effect: look before you repeat it"),
  TIMEOUT: advice(timedOut, "look at `quorate status`, or allow more with --timeout"),
  CONNECTION_FAILED: advice(
    unavailable,
    "is it running, with more than half of its nodes? `quorate status` asks each; `quorate dev` starts one; --servers or QUORATE_SERVERS say where it is: the ports for clients",
  ),
  LOCK_LOST: advice(lost, "it may already be somebody else's: check what the command left behind"),
};

function withOutcome(error: QuorateError): string {
  return error.outcomeUnknown ? `${error.message} (it may have taken effect)` : error.message;
}
