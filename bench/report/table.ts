import type { MissingRatio, Ratio } from "./ratios.ts";
import type { Result } from "./report.ts";

const FIGURES = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, useGrouping: true });
const LARGE = new Intl.NumberFormat("en", { maximumFractionDigits: 0, useGrouping: true });

/** What a table is made of. */
export interface TableContent {
  /** In the order of their columns. */
  readonly systems: readonly string[];
  readonly results: readonly Result[];
  readonly ratios: readonly Ratio[];
  readonly missingRatios: readonly MissingRatio[];
}

/** A table in Markdown: one line per workload and metric, medians with the range of the rounds, then the notes. */
export function formatTable({ systems, results, ratios, missingRatios }: TableContent): string {
  const header = ["workload", "metric", ...systems, "ratio"];
  const rows = [header, header.map(() => "---")];
  const seen = new Set<string>();
  for (const { workload, metric, unit } of results) {
    const key = `${workload} ${metric}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const cells = systems.map((system) => {
      const result = results.find(
        (other) =>
          other.workload === workload && other.metric === metric && other.system === system,
      );
      return result === undefined ? "" : formatResult(result);
    });
    const ratio = ratios.find((other) => other.workload === workload && other.metric === metric);
    const shown = ratio === undefined ? "" : `${ratio.ratio.toFixed(2)} × ${ratio.bestPeer}`;
    rows.push([workload, `${metric}, ${unit}`, ...cells, shown]);
  }
  return `${align(rows)}\n${formatNotes(results, missingRatios)}`;
}

function formatResult(result: Result): string {
  if (!Number.isFinite(result.median)) return "invalid";
  const { median, min, max, rounds, valid } = result;
  const range = rounds.length > 1 ? ` (${figure(min)}–${figure(max)})` : "";
  return `${figure(median)}${range}${valid ? "" : " invalid"}`;
}

function figure(value: number): string {
  return (Math.abs(value) >= 1000 ? LARGE : FIGURES).format(value);
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      cell === "---" ? "-".repeat(widths[column] ?? 3) : cell.padEnd(widths[column] ?? 0),
    );
    return `| ${cells.join(" | ")} |`;
  });
  return lines.join("\n");
}

function formatNotes(results: readonly Result[], missingRatios: readonly MissingRatio[]): string {
  const notes = new Set<string>();
  for (const { workload, system, note } of results) {
    if (note !== "") notes.add(`- ${workload}, ${system}: ${note}`);
  }
  const alike = new Map<string, string[]>();
  for (const { workload, metric, reason } of missingRatios) {
    const key = `${workload} ${reason}`;
    const metrics = alike.get(key) ?? [];
    metrics.push(metric);
    alike.set(key, metrics);
  }
  for (const { workload, reason } of missingRatios) {
    const metrics = alike.get(`${workload} ${reason}`) ?? [];
    notes.add(`- ${workload}, no ratio of ${metrics.join(", ")}: ${reason}`);
  }
  return notes.size === 0 ? "" : `\n${[...notes].join("\n")}\n`;
}
