import { assert } from "../assert.ts";

/** A value that does not have the shape it should have. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** How values of one type look in JSON. */
export interface Shape<T> {
  toJson(value: T): unknown;
  /** Throws `ShapeError`, naming the field. */
  fromJson(json: unknown): T;
}

/** A shape for every field, so that a field without one does not compile. */
export type Fields<T> = { readonly [K in keyof T]-?: Shape<T[K]> };

/** The fields of every kind of a union, beside `kind`. */
export type Variants<T extends { readonly kind: string }> = {
  readonly [K in T["kind"]]: Fields<Omit<Extract<T, { readonly kind: K }>, "kind">>;
};

type Plain = Readonly<Record<string, unknown>>;
type PlainFields = Readonly<Record<string, Shape<unknown>>>;

/** What JSON has no number for. */
const ODD_NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);

/** Any number, also those that JSON lacks. */
export const anyNumber: Shape<number> = {
  toJson: (value) => {
    if (Object.is(value, -0)) return "-0";
    return Number.isFinite(value) ? value : String(value);
  },
  fromJson: (json) => {
    const value = ODD_NUMBERS.get(json) ?? json;
    if (typeof value === "number") return value;
    throw new ShapeError(`${told(json)} is no number`);
  },
};

/** A whole number from `min` on that `brand` makes what it stands for. */
export function whole<T extends number>(min: number, brand: (value: number) => T): Shape<T> {
  return {
    toJson: (value) => value,
    fromJson: (json) => {
      if (typeof json === "number" && Number.isSafeInteger(json) && json >= min) return brand(json);
      throw new ShapeError(`${told(json)} is no whole number from ${min} on`);
    },
  };
}

export const flag: Shape<boolean> = {
  toJson: (value) => value,
  fromJson: (json) => {
    if (typeof json === "boolean") return json;
    throw new ShapeError(`${told(json)} is neither true nor false`);
  },
};

export const text: Shape<string> = {
  toJson: (value) => value,
  fromJson: (json) => {
    if (typeof json === "string") return json;
    throw new ShapeError(`${told(json)} is no text`);
  },
};

/** Bytes, as base64. */
export const bytes: Shape<Uint8Array> = {
  toJson: (value) =>
    Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
  fromJson: (json) => {
    const value = Buffer.from(text.fromJson(json), "base64");
    // What is no base64 is skipped without a word.
    if (value.toString("base64") !== json) throw new ShapeError(`${told(json)} is no base64`);
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  },
};

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    toJson: (value) => (value === null ? null : shape.toJson(value)),
    fromJson: (json) => (json === null ? null : shape.fromJson(json)),
  };
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return {
    toJson: (values) => values.map((value) => shape.toJson(value)),
    fromJson: (json) => {
      if (!Array.isArray(json)) throw new ShapeError(`${told(json)} is no list`);
      return json.map((item: unknown, at) => within(`[${at}]`, () => shape.fromJson(item)));
    },
  };
}

/** An object with exactly these fields. */
export function record<T extends object>(fields: Fields<T>): Shape<T> {
  const plain: PlainFields = { ...fields };
  // Each field was read by its shape, and that the shapes are those of `T` the compiler has checked.
  const isWhole = (value: object): value is T =>
    Object.keys(value).length === Object.keys(plain).length;
  return {
    toJson: (value) => toPlain(plain, value),
    fromJson: (json) => {
      const value = fromPlain(plain, json);
      assert(isWhole(value), "record_read_whole");
      return value;
    },
  };
}

/** Objects that `kind` tells apart. */
export function union<T extends { readonly kind: string }>(variants: Variants<T>): Shape<T> {
  const kinds: Readonly<Record<string, PlainFields>> = variants;
  const fieldsOf = (kind: unknown): PlainFields => {
    if (typeof kind === "string" && Object.hasOwn(kinds, kind)) return kinds[kind] ?? {};
    throw new ShapeError(`kind ${told(kind)} is unknown`);
  };
  const isWhole = (value: { readonly kind: unknown }): value is T =>
    Object.keys(value).length === Object.keys(fieldsOf(value.kind)).length + 1;
  return {
    toJson: (value) => ({ kind: value.kind, ...toPlain(fieldsOf(value.kind), value) }),
    fromJson: (json) => {
      const { kind, ...rest } = plainOf(json);
      const value = { kind, ...fromPlain(fieldsOf(kind), rest) };
      assert(isWhole(value), "union_read_whole");
      return value;
    },
  };
}

/** The fields of an object. Throws `ShapeError` for anything else. */
export function plainOf(json: unknown): Plain {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return { ...json };
  throw new ShapeError(`${told(json)} is no object`);
}

function toPlain(fields: PlainFields, value: object): Record<string, unknown> {
  const given: Plain = { ...value };
  const json: Record<string, unknown> = {};
  for (const name in fields) json[name] = fields[name]?.toJson(given[name]);
  return json;
}

function fromPlain(fields: PlainFields, json: unknown): Plain {
  const given = plainOf(json);
  const foreign = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
  if (foreign !== undefined) throw new ShapeError(`field ${told(foreign)} is unknown`);
  const value: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(fields)) {
    if (!Object.hasOwn(given, name)) throw new ShapeError(`${name} is missing`);
    value[name] = within(name, () => shape.fromJson(given[name]));
  }
  return value;
}

function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(`${place}: ${error.message}`);
  }
}

const TOLD_CHARS_MAX = 40;

function told(json: unknown): string {
  const whole = JSON.stringify(json) ?? "nothing";
  return whole.length > TOLD_CHARS_MAX ? `${whole.slice(0, TOLD_CHARS_MAX)}…` : whole;
}
