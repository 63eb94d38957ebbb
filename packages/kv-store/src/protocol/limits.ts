/** See {@link PROTOCOL_LIMITS}. */
export interface ProtocolLimits {
  readonly frameBytesMax: number;
  readonly frameMessagesMax: number;
  readonly dataBytesMax: number;
  readonly pathBytesMax: number;
  readonly nameBytesMax: number;
  readonly pathDepthMax: number;
  readonly opsMax: number;
  readonly pageMax: number;
  readonly outstandingMax: number;
  readonly outstandingBytesMax: number;
  readonly watchesMax: number;
  readonly sessionTimeoutMinMs: number;
  readonly sessionTimeoutMaxMs: number;
  readonly sessionTimeoutDefaultMs: number;
  readonly secretBytes: number;
  readonly clientNameBytesMax: number;
}

/** Bounds of the client protocol, the same on both sides. A server may be configured lower, never higher. */
export const PROTOCOL_LIMITS: ProtocolLimits = {
  /** Bytes of one frame (one WebSocket message). */
  frameBytesMax: 4_194_304,
  /** Messages in one frame. */
  frameMessagesMax: 4096,
  /** Bytes of a znode's data. */
  dataBytesMax: 1_048_576,
  /** UTF-8 bytes of a path; of one of its components; components of a path. */
  pathBytesMax: 1024,
  nameBytesMax: 255,
  pathDepthMax: 64,
  /** Ops of one write. */
  opsMax: 1024,
  /** Entries of one page of a list. */
  pageMax: 1000,
  /** Unanswered writes of one session, and as many reads beside them; the bytes of either. */
  outstandingMax: 4096,
  outstandingBytesMax: 8_388_608,
  /** Watches of one session. */
  watchesMax: 10_000,
  sessionTimeoutMinMs: 1_000,
  sessionTimeoutMaxMs: 600_000,
  sessionTimeoutDefaultMs: 10_000,
  /** Bytes of the shortest secret that a session may have; the SDK draws as many. */
  secretBytes: 16,
  clientNameBytesMax: 128,
};
