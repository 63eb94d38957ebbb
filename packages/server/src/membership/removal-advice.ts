import { ServerError } from "../errors.ts";

/**
 * What ends a node that is no member any more, with what its operator may do about it. Any other error stays as it is. `name`: the
 * node's.
 */
export function withRemovalAdvice(error: unknown, name: string): unknown {
  if (!(error instanceof ServerError) || error.code !== "REMOVED") return error;
  return new ServerError(
    error.code,
    `${error.text}. It need not be started any more: \`quorate member remove\` or \`replace\` took it out, or it came back ` +
      `under another identity, which \`quorate member ls\` shows in its place. To have one back that was taken out, ` +
      `start it with --join on an empty data directory and give \`quorate member add ${name}\``,
    error,
  );
}
