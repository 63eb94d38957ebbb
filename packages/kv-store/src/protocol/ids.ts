declare const brand: unique symbol;

/**
 * State-machine revision: the Raft index of the entry that made a change. Starts at 1, rises, may have gaps, never
 * rolls over (safe integer); 0 stands before every change.
 */
export type Zxid = number & { readonly [brand]: "Zxid" };
/** A client's lease: the zxid of the entry that opened it, so never reused within a history. */
export type SessionId = number & { readonly [brand]: "SessionId" };
/** Consecutive number of a session's writes, from 1. */
export type WriteSeq = number & { readonly [brand]: "WriteSeq" };
/** A path that passed `parsePath`. */
export type ZnodePath = string & { readonly [brand]: "ZnodePath" };
/** Rises with every grant of a lock or an election; the zxid of the holder's contender znode. */
export type FencingToken = number & { readonly [brand]: "FencingToken" };
