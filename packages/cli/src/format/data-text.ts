/** Bytes of a znode in a form that can be printed. */
export interface DataText {
  readonly text: string;
  /** `utf8` only for what is readable: valid, and without control characters a terminal would act on. */
  readonly encoding: "utf8" | "base64";
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Control characters except tab, line feed and carriage return. */
const CONTROL = /(?![\t\n\r])\p{Cc}/u;

/** Readable text as it is, anything else as base64. */
export function dataText(data: Uint8Array): DataText {
  const text = decodeUtf8(data);
  if (text !== null && !CONTROL.test(text)) return { text, encoding: "utf8" };
  return { text: Buffer.from(data).toString("base64"), encoding: "base64" };
}

/** One line of at most `columns` characters, for tables and event lines. */
export function dataPreview(data: Uint8Array, columns: number): string {
  const { text, encoding } = dataText(data);
  const line = encoding === "utf8" ? JSON.stringify(text) : `base64:${text}`;
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}

function decodeUtf8(data: Uint8Array): string | null {
  try {
    return DECODER.decode(data);
  } catch {
    return null;
  }
}
