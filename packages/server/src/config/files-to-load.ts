import { ServerError } from "../errors.ts";

/*
 * The loader of ES modules opens all modules that it finds at once, and has no words for a process that may not. So this is
 * asked before anything else is loaded; what the limit leaves for clients is asked later, when the configuration is known.
 */

/** The process's own (25), and its modules with those of its dependencies, half as many again as they take. */
const FILES_TO_LOAD = 160;

/** How a limit of open files is raised. */
export const OPEN_FILES_ADVICE = "(ulimit -n, LimitNOFILE= of systemd)";

/** Throws CONFIG_INVALID where a process that may have `filesMax` files open may not even load the server; null: as many as it likes. */
export function checkFilesToLoad(filesMax: number | null): void {
  if (filesMax === null || filesMax >= FILES_TO_LOAD) return;
  throw new ServerError(
    "CONFIG_INVALID",
    `this process may have ${filesMax} files open, sockets among them, which is too few to start; ` +
      `raise that to 1024 or more ${OPEN_FILES_ADVICE}`,
  );
}
