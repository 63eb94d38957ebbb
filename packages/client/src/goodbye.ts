import type { ServerMessage } from "@quorate/kv-store/protocol";

/** Why a server ends a connection. */
export type Goodbye = Extract<ServerMessage, { readonly kind: "goodbye" }>;

/** Goodbyes in a row that blame this client before it believes them: sending the same again would not end. */
export const BLAMES_MAX = 3;

/** The session cannot be taken up again anywhere. */
export function endsSession(goodbye: Goodbye): boolean {
  return goodbye.code === "SESSION_EXPIRED" || goodbye.code === "HISTORY_CHANGED";
}

/** The server found fault with what this client sent. */
export function isBlame(goodbye: Goodbye): boolean {
  const { code, fatal } = goodbye;
  return (
    fatal &&
    (code === "PROTOCOL_ERROR" || code === "UNKNOWN_OPERATION" || code === "FRAME_TOO_LARGE")
  );
}
