import {
  PerformanceObserver,
  monitorEventLoopDelay,
  type IntervalHistogram,
} from "node:perf_hooks";
import type { RuntimeGauges } from "./metrics.ts";

/** How often the event loop is probed, ms. */
const RESOLUTION_MS = 10;
const NANOSECONDS_PER_MS = 1e6;

/** Watches the process: delays of the event loop, garbage collection, memory. Disposing ends it. */
export class RuntimeMonitor implements Disposable {
  readonly #delay: IntervalHistogram;
  readonly #collections: PerformanceObserver;
  #gcCount = 0;
  #gcTotalMs = 0;

  constructor() {
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#delay.enable();
    this.#collections = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        this.#gcCount += 1;
        this.#gcTotalMs += entry.duration;
      }
    });
    this.#collections.observe({ entryTypes: ["gc"] });
  }

  /** What happened; the delays start anew. */
  sample(): RuntimeGauges {
    const memory = process.memoryUsage();
    const gauges: RuntimeGauges = {
      loopDelayP50Ms: delayMs(this.#delay.percentile(50)),
      loopDelayP99Ms: delayMs(this.#delay.percentile(99)),
      loopDelayMaxMs: delayMs(this.#delay.max),
      gcCount: this.#gcCount,
      gcTotalMs: this.#gcTotalMs,
      heapUsedBytes: memory.heapUsed,
      residentBytes: memory.rss,
    };
    this.#delay.reset();
    return gauges;
  }

  [Symbol.dispose](): void {
    this.#delay.disable();
    this.#collections.disconnect();
  }
}

/** The probe itself sleeps for its resolution; only what comes on top is delay. */
function delayMs(nanoseconds: number): number {
  return Math.max(0, nanoseconds / NANOSECONDS_PER_MS - RESOLUTION_MS);
}
