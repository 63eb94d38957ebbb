import type { ConnectOptions, QuorateClient } from "@quorate/client";
import type { CliContext } from "./context.ts";

/** Servers that are there answer sooner; whoever waits for longer wants to know for what. */
const NOTE_AFTER_MS = 1_500;

/** Connects. On a terminal it says after a moment whom it waits for, and until when. Rejects as `connect` does. */
export async function openClient(
  context: CliContext,
  options: ConnectOptions & { readonly connectTimeoutMs: number },
): Promise<QuorateClient> {
  const note = setTimeout(() => {
    if (!context.err.isTerminal) return;
    const seconds = options.connectTimeoutMs / 1_000;
    const servers = options.servers.join(", ");
    context.err.write(`no answer yet from ${servers}; gives up after ${seconds} s\n`);
  }, NOTE_AFTER_MS);
  try {
    return await context.connect(options);
  } finally {
    clearTimeout(note);
  }
}
