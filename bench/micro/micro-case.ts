/** One part that is measured by itself. */
export interface MicroCase {
  readonly name: string;
  /** What one call of `run` does: entries, messages, commands or znodes. Figures are per operation. */
  readonly operations: number;
  run(): unknown;
  /** Frees what it holds. */
  close?(): Promise<void>;
}
