import { ServerError } from "../errors.ts";

/**
 * What ends a node that is no member any more, with what its operator may do about it. Any other error stays as it is. `name`: the
 * node's.
 */
export function withWayBack(error: unknown, name: string): unknown {
  if (!(error instanceof ServerError) || error.code !== "REMOVED") return error;
  return new ServerError(
    error.code,
    `${error.text}. \`quorate member remove\` or \`replace\` took it out: it need not be started any more. ` +
      `To have it back, start it with --join on an empty data directory and give \`quorate member add ${name}\``,
    error,
  );
}
