import { WebSocket, type ClientOptions } from "ws";
import { ServerError } from "../errors.ts";
import type { Connection, DialOptions, ListenOptions, Listener, Transport } from "../ports.ts";
import { CLOSE_TIMEOUT_MS, WsConnection } from "./ws-connection.ts";
import { WsListener } from "./ws-listener.ts";

/**
 * Frames as binary WebSocket messages, uncompressed. A connection that went half-open is not noticed here: whoever uses it
 * pings.
 */
export class WsTransport implements Transport {
  listen(options: ListenOptions): Promise<Listener> {
    return WsListener.open(options);
  }

  dial(options: DialOptions): Promise<Connection> {
    const { host, port, frameBytesMax, timeoutMs } = options;
    const address = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
    const websocketOptions: ClientOptions & { readonly closeTimeout: number } = {
      perMessageDeflate: false,
      maxPayload: frameBytesMax,
      followRedirects: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
      // Masks keep a page's script from writing what a proxy takes for HTTP; here no script speaks, and a mask of zeros
      // costs nothing.
      generateMask: (mask) => void mask.fill(0),
    };
    return new Promise((resolve, reject) => {
      let websocket: WebSocket;
      try {
        websocket = new WebSocket(`ws://${address}/`, websocketOptions);
      } catch (error) {
        reject(connectError(address, error));
        return;
      }
      const timeout = setTimeout(() => fail(new Error("timed out")), timeoutMs);
      const fail = (error: unknown): void => {
        clearTimeout(timeout);
        reject(connectError(address, error));
        websocket.terminate();
      };
      websocket.on("error", fail);
      websocket.on("upgrade", ({ socket }) => {
        websocket.on("open", () => {
          clearTimeout(timeout);
          websocket.off("error", fail);
          resolve(new WsConnection(websocket, socket, options.handlers));
        });
      });
    });
  }
}

function connectError(address: string, error: unknown): ServerError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ServerError("CONNECT_FAILED", `cannot connect to ${address}: ${reason}`, error);
}
