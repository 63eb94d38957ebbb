import { PROTOCOL_LIMITS } from "@quorate/kv-store/protocol";
import { WebSocket } from "ws";
import type { Dialer, Socket, SocketHandlers } from "./ports.ts";
import { serverUrl } from "./server-url.ts";

/** A server ends a frame once it is over the bound, so the last message may reach beyond it. */
const FRAME_BYTES_MAX = 2 * PROTOCOL_LIMITS.frameBytesMax;

/** For what was sent last to leave, ms. */
const CLOSE_GRACE_MS = 1_000;

/** Connections for Node. */
export const webSocketDialer: Dialer = {
  dial(server, handlers, signal) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(serverUrl(server), {
        maxPayload: FRAME_BYTES_MAX,
        perMessageDeflate: false,
        skipUTF8Validation: true,
        // Masks keep a page's script from writing what a proxy takes for HTTP; here no script speaks, and a mask of zeros
        // costs nothing, neither here nor at the server.
        generateMask: (mask) => void mask.fill(0),
      });
      const give = (): void => socket.terminate();
      signal.addEventListener("abort", give);
      socket.on("open", () => {
        signal.removeEventListener("abort", give);
        listen(socket, handlers);
        resolve(socketOf(socket));
      });
      socket.on("unexpected-response", (_request, { statusCode = 0, statusMessage = "" }) => {
        reject(new Error(refusalText(statusCode, statusMessage)));
        give();
      });
      socket.on("error", reject);
      socket.on("close", () => {
        signal.removeEventListener("abort", give);
        reject(new Error("the server closed the connection"));
      });
    });
  },
};

const SERVICE_UNAVAILABLE = 503;

function refusalText(status: number, text: string): string {
  return status === SERVICE_UNAVAILABLE
    ? "it takes no more connections now: it has as many as it may have, or is about to stop"
    : `it answered ${status} ${text}`;
}

function listen(socket: WebSocket, handlers: SocketHandlers): void {
  let reason = "";
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.on("message", (data, isBinary) => {
    if (isBinary && data instanceof Uint8Array) handlers.onFrame(data);
    else socket.terminate();
  });
  socket.on("close", (code) => handlers.onClose(reason || `closed with code ${code}`));
}

function socketOf(socket: WebSocket): Socket {
  return {
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    },
    close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      socket.close();
      // A server that does not answer the closing handshake must not keep the process alive.
      const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
      socket.on("close", () => clearTimeout(timer));
    },
  };
}
