/** A promise that was not kept. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** Which one: a name from the catalogue of invariants. */
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`);
    this.rule = rule;
  }
}
