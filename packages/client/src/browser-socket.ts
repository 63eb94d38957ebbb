import type { Dialer, Socket } from "./ports.ts";
import { serverUrl } from "./server-url.ts";

/** The part of a browser's WebSocket that is used here. */
interface BrowserSocket extends EventTarget {
  binaryType: string;
  send(data: Uint8Array): void;
  close(): void;
}

declare const WebSocket: new (url: string) => BrowserSocket;

/** Connections for browsers and other platforms with a WebSocket of their own. */
export const webSocketDialer: Dialer = {
  dial(server, handlers, signal) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(serverUrl(server));
      socket.binaryType = "arraybuffer";
      let isOpen = false;
      const give = (): void => socket.close();
      signal.addEventListener("abort", give);
      socket.addEventListener("open", () => {
        signal.removeEventListener("abort", give);
        isOpen = true;
        resolve(socketOf(socket));
      });
      socket.addEventListener("message", (event) => {
        const data: unknown = Reflect.get(event, "data");
        if (data instanceof ArrayBuffer) handlers.onFrame(new Uint8Array(data));
        else socket.close();
      });
      socket.addEventListener("close", () => {
        signal.removeEventListener("abort", give);
        if (isOpen) handlers.onClose("the connection was closed");
        else reject(new Error(noConnection()));
      });
    });
  },
};

/** A page is never told why: neither that nobody listens, nor that the server answered "403 Forbidden". */
function noConnection(): string {
  const origin: unknown = Reflect.get(Object(Reflect.get(globalThis, "location")), "origin");
  if (typeof origin !== "string") return "no connection";
  return `no connection: it does not run, or none of its allowed-origins is ${origin}`;
}

function socketOf(socket: BrowserSocket): Socket {
  return {
    send: (frame) => socket.send(frame),
    close: () => socket.close(),
  };
}
