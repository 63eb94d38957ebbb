import { ServerError, type ServerErrorCode } from "../errors.ts";
import type { PackedRecords } from "./packed-records.ts";

/** Handed to the image's thread without an answer: what goes wrong with it is the answer to what follows. */
export type ImageOrder =
  /** In their order, into the batch with this number, which the first of them begins. */
  | { readonly kind: "put"; readonly batch: number; readonly records: PackedRecords }
  /** The view is of this moment in the order of the requests. */
  | { readonly kind: "view"; readonly view: number };

/** What the image's thread is asked; answered under its number. */
export type ImageQuestion =
  | {
      readonly kind: "open";
      readonly id: number;
      readonly directory: string;
      readonly create: boolean;
    }
  | { readonly kind: "write"; readonly id: number; readonly batch: number }
  | { readonly kind: "discard"; readonly id: number; readonly batch: number }
  | { readonly kind: "getMany"; readonly id: number; readonly keys: readonly string[] }
  | {
      readonly kind: "next";
      readonly id: number;
      readonly view: number;
      readonly countMax: number;
      readonly bytesMax: number;
    }
  | { readonly kind: "closeView"; readonly id: number; readonly view: number }
  /** Goes on with the check of this number, or begins it. */
  | { readonly kind: "check"; readonly id: number; readonly check: number }
  | { readonly kind: "endCheck"; readonly id: number; readonly check: number }
  | { readonly kind: "close"; readonly id: number };

export type ImageRequest = ImageOrder | ImageQuestion;

/** `records`: of `getMany` and `next`, else null. `bytes`: that `check` has read, 0 when it is over. */
export interface ImageAnswer {
  readonly records: PackedRecords | null;
  readonly bytes: number;
}

/** What came of a question. */
export type ImageReply =
  | ({ readonly id: number; readonly ok: true } & ImageAnswer)
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: ServerErrorCode;
      readonly text: string;
    };

/** Memory that both threads reach. Between an order and its return it belongs to the image's thread alone. */
export type SharedBytes = Uint8Array<SharedArrayBuffer>;

/** No answer: the buffer of records that were put, to be filled again. */
export interface ImageReturn {
  readonly id: null;
  readonly room: SharedBytes;
}

/** True for what is done also where something has failed: whatever is open is closed all the same. */
export function isRelease({ kind }: Pick<ImageQuestion, "kind">): boolean {
  return kind === "discard" || kind === "closeView" || kind === "endCheck" || kind === "close";
}

/** An error as it can be sent: only its code and text mean anything on the other side. */
export function failedReply(id: number, error: unknown): ImageReply {
  if (error instanceof ServerError) return { id, ok: false, code: error.code, text: error.text };
  const text = error instanceof Error ? error.message : String(error);
  return { id, ok: false, code: "STORAGE_FAILED", text };
}
