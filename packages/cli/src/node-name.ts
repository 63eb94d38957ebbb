import { usageError } from "./cli-error.ts";

/** Throws a usage error for what no node can be called, as a server's `--name` would. */
export async function checkNodeName(name: string): Promise<void> {
  const { parseServerConfig, ServerError } = await import("@quorate/server");
  try {
    parseServerConfig({ argv: ["--name", name], env: {}, readFile: () => "" });
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    throw usageError(
      `${JSON.stringify(name)} is no name of a node`,
      "it is 1 to 63 letters, digits, dots, dashes or underscores, as the node's own --name",
    );
  }
}
