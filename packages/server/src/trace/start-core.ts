import { RaftNode, type Member, type RaftInitialState } from "@quorate/raft";
import type { ServerConfig } from "../config.ts";
import { coreSettings } from "../core-settings.ts";
import type { LoopCore } from "../node-loop.ts";
import { drawNonce } from "../nonce.ts";
import type { Logger } from "../observe/logger.ts";
import type { ServerPorts } from "../ports.ts";
import { SERVER_VERSION } from "../version.ts";
import { RecordedCore, type CoreRecorder } from "./recorded-core.ts";
import { TraceFile } from "./trace-file.ts";
import { TraceRecording } from "./trace-recording.ts";

export interface CoreStart {
  readonly config: ServerConfig;
  readonly ports: ServerPorts;
  readonly logger: Logger;
  readonly self: Member;
  readonly initial: RaftInitialState;
  /** Told everything; null: what the configuration says, which may be a file or nobody. */
  readonly recorder: CoreRecorder | null;
}

/** A core and the way to it. */
export interface StartedCore {
  readonly raft: RaftNode;
  /** Whoever steps the core steps it here, and so is recorded. */
  readonly loopCore: LoopCore;
  /** Ends the recording, if there is one. Never rejects. */
  endTrace(): Promise<void>;
}

/** Makes a node's core, recorded if that is wanted; otherwise nothing stands between it and the loop. */
export function startCore(start: CoreStart): StartedCore {
  const { config, ports, self, initial } = start;
  const settings = coreSettings(config, self.id, drawNonce(ports.random));
  const recorder = start.recorder ?? fileRecorder(start);
  if (recorder === null) {
    const raft = new RaftNode(settings, initial);
    return { raft, loopCore: raft, endTrace: () => Promise.resolve() };
  }
  const loopCore = new RecordedCore(settings, initial, recorder);
  return { raft: loopCore.raft, loopCore, endTrace: () => recorder.close() };
}

function fileRecorder({ config, ports, logger, self }: CoreStart): CoreRecorder | null {
  const { trace } = config;
  if (trace === null) return null;
  const { clock, wallClock, files } = ports;
  const { file: path, bytesMax } = trace;
  logger.info({ file: path, bytesMax }, "the core is traced");
  const output = new TraceFile({
    files,
    clock,
    path,
    bytesMax,
    onEnded: (reason) => {
      if (reason instanceof Error) {
        logger.error({ file: path, error: reason }, "the trace failed; the node goes on");
      } else {
        logger.warn({ file: path, reason }, "the trace has ended; the node goes on");
      }
    },
  });
  const startedMs = clock.nowMs();
  const origin = {
    name: self.name,
    release: SERVER_VERSION,
    startedMs: Math.round(wallClock.nowMs()),
  };
  return new TraceRecording(output, origin, () => clock.nowMs() - startedMs);
}
