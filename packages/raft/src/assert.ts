/** A broken invariant: the process that sees one must stop, because its state can no longer be trusted. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
  /** Name of the broken invariant, searchable in the sources. */
  readonly invariant: string;

  constructor(invariant: string, details?: string) {
    super(details === undefined ? invariant : `${invariant}: ${details}`);
    this.invariant = invariant;
  }
}

/**
 * Throws {@link InvariantError} unless `condition` holds. On in production; `details` is only built on failure.
 * One condition per call, and a name that can be searched for.
 */
export function assert(
  condition: boolean,
  invariant: string,
  details?: () => string,
): asserts condition {
  if (!condition) throw new InvariantError(invariant, details?.());
}

/** Marks a place that exhaustive switches never reach. */
export function unreachable(value: never): never {
  throw new InvariantError("unreachable", JSON.stringify(value));
}
