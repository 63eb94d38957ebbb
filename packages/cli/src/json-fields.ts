/** A field that is missing, or not what it has to be. */
export class JsonFieldError extends Error {
  override readonly name = "JsonFieldError";
}

/** The fields of a JSON object that another program sent: each is read as what it has to be. All readers throw `JsonFieldError`. */
export class JsonFields {
  readonly #fields: ReadonlyMap<string, unknown>;

  private constructor(fields: ReadonlyMap<string, unknown>) {
    this.#fields = fields;
  }

  /** Of a value that was parsed. */
  static of(value: unknown): JsonFields {
    if (typeof value !== "object" || value === null) throw new JsonFieldError("this is no object");
    return new JsonFields(new Map(Object.entries(value)));
  }

  /** Of text. */
  static parse(text: string): JsonFields {
    try {
      return JsonFields.of(JSON.parse(text));
    } catch (error) {
      if (error instanceof SyntaxError) throw new JsonFieldError("this is no JSON");
      throw error;
    }
  }

  text(name: string): string {
    return read(name, this.#fields.get(name), isText);
  }

  /** Null where the field is null. */
  optionalText(name: string): string | null {
    const value = this.#fields.get(name);
    return value === null ? null : read(name, value, isText);
  }

  number(name: string): number {
    return read(name, this.#fields.get(name), isNumber);
  }

  flag(name: string): boolean {
    return read(name, this.#fields.get(name), (value) => typeof value === "boolean");
  }

  texts(name: string): readonly string[] {
    return this.#list(name).map((value) => read(name, value, isText));
  }

  numbers(name: string): readonly number[] {
    return this.#list(name).map((value) => read(name, value, isNumber));
  }

  fields(name: string): JsonFields {
    return JsonFields.of(this.#fields.get(name));
  }

  list(name: string): readonly JsonFields[] {
    return this.#list(name).map((value) => JsonFields.of(value));
  }

  #list(name: string): readonly unknown[] {
    return read(name, this.#fields.get(name), (value): value is readonly unknown[] =>
      Array.isArray(value),
    );
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function read<T>(name: string, value: unknown, is: (value: unknown) => value is T): T {
  if (is(value)) return value;
  throw new JsonFieldError(`"${name}" is not what it has to be`);
}
