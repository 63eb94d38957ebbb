import type { ClientClock, ClientPorts, ClientRandom } from "./ports.ts";
import { UnsuspendedClock } from "./unsuspended-clock.ts";
import { webSocketDialer } from "#socket";

const random: ClientRandom = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  fraction: () => Math.random(),
};

const runAtEndOfTurn = endOfTurn();

/** Network, time and randomness of the platform this runs on, for one client. */
export function systemPorts(): ClientPorts {
  return { dialer: webSocketDialer, clock: systemClock(), random };
}

/** The platform's clock, with what it has missed since it was made. */
export function systemClock(): ClientClock {
  const unsuspended = new UnsuspendedClock({
    steadyMs: () => performance.now(),
    wallMs: () => Date.now(),
  });
  return {
    nowMs: () => unsuspended.nowMs(),
    aheadMs: () => unsuspended.aheadMs(),
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
    endOfTurn: runAtEndOfTurn,
  };
}

/** Node has a phase for it; a browser does what it posted to itself after what it was doing. */
function endOfTurn(): (callback: () => void) => void {
  const immediate: unknown = Reflect.get(globalThis, "setImmediate");
  if (typeof immediate === "function") {
    return (callback) => void Reflect.apply(immediate, undefined, [callback]);
  }
  const { port1, port2 } = new MessageChannel();
  const callbacks: (() => void)[] = [];
  port1.addEventListener("message", () => callbacks.shift()?.());
  port1.start();
  return (callback) => {
    callbacks.push(callback);
    port2.postMessage(null);
  };
}
