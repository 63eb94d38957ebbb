import type { Tolerance } from "@quorate/server";
import { formatTable } from "../format/table.ts";
import { JsonFields } from "../json-fields.ts";

/** What a leader says of a change of the membership. */
export interface ChangeReport {
  /** How it was begun. */
  readonly step: string;
  /** Now, and when everything that follows is done. */
  readonly before: Tolerance;
  readonly after: Tolerance;
}

/** Reads a leader's answer. Throws `JsonFieldError` for what is none. */
export function readChangeReport(value: unknown): ChangeReport {
  const fields = JsonFields.of(value);
  return {
    step: fields.text("step"),
    before: toleranceOf(fields.fields("before")),
    after: toleranceOf(fields.fields("after")),
  };
}

function toleranceOf(fields: JsonFields): Tolerance {
  return {
    voters: fields.texts("voters"),
    learners: fields.texts("learners"),
    quorum: fields.number("quorum"),
    tolerates: fields.number("tolerates"),
    reachable: fields.number("reachable"),
  };
}

/** Both sides of a change beside each other. */
export function formatChange({ before, after }: ChangeReport): string {
  const list = (names: readonly string[]): string => (names.length === 0 ? "-" : names.join(", "));
  return formatTable(
    ["", "now", "then"],
    [
      ["voters", list(before.voters), list(after.voters)],
      ["learners", list(before.learners), list(after.learners)],
      ["votes for a decision", before.quorum, after.quorum],
      ["voters that may fail", before.tolerates, after.tolerates],
      ["voters heard of", before.reachable, after.reachable],
    ],
  );
}

/** What an operator should think over; empty for most changes. */
export function warningsOf({ before, after }: ChangeReport): readonly string[] {
  const warnings: string[] = [];
  if (after.tolerates < before.tolerates) {
    warnings.push(`fewer voters may fail: ${after.tolerates} instead of ${before.tolerates}`);
  }
  const isEven = after.voters.length % 2 === 0;
  if (isEven && after.voters.length !== before.voters.length) {
    warnings.push(
      `${after.voters.length} voters survive no more failures than ${after.voters.length - 1}`,
    );
  }
  if (after.reachable === after.quorum && after.tolerates > 0) {
    warnings.push(
      "every voter that is heard of will be needed: one more failure stops the ensemble",
    );
  }
  return warnings;
}
