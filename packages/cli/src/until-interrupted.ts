import type { QuorateClient } from "@quorate/client";
import type { CliContext } from "./context.ts";

/** Waits for a signal to end or the end of the client's session, whichever comes first. */
export function untilInterrupted(
  context: CliContext,
  client: QuorateClient,
): Promise<"interrupted" | "expired"> {
  return new Promise((resolve, reject) => {
    const signals = context.onSignal(() => end(() => resolve("interrupted")));
    const end = (settle: () => void): void => {
      signals[Symbol.dispose]();
      settle();
    };
    untilExpired(client).then(
      () => end(() => resolve("expired")),
      (error: unknown) => end(() => reject(error)),
    );
  });
}

async function untilExpired(client: QuorateClient): Promise<void> {
  for await (const state of client.states()) {
    if (state.kind === "expired") return;
  }
}
