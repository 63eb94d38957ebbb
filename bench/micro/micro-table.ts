import type { Baseline, MicroMachine } from "./baseline.ts";

const FIGURES = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** What one case came to. */
export interface MicroResult {
  readonly name: string;
  readonly nanoseconds: number;
}

/** A table in Markdown with the difference to the baseline; of another machine's it says so. */
export function formatMicroTable(
  results: readonly MicroResult[],
  baseline: Baseline | null,
  machine: MicroMachine,
): string {
  const header = ["case", "ops/s", "ns/op", "to baseline"];
  const rows = results.map(({ name, nanoseconds }) => [
    name,
    FIGURES.format(1e9 / nanoseconds),
    nanoseconds < 100 ? nanoseconds.toFixed(1) : FIGURES.format(nanoseconds),
    difference(nanoseconds, baseline?.nanoseconds[name]),
  ]);
  return `${align([header, ...rows])}\n${remark(baseline, machine)}`;
}

function difference(now: number, before: number | undefined): string {
  if (before === undefined) return "new";
  const percent = Math.round((now / before - 1) * 100);
  return `${percent > 0 ? "+" : ""}${percent} %`;
}

function remark(baseline: Baseline | null, machine: MicroMachine): string {
  if (baseline === null) return "There is no baseline: --update-baseline writes one.\n";
  const { cpu, cores, node } = baseline.machine;
  const isSame = cpu === machine.cpu && cores === machine.cores && node === machine.node;
  const where = `${cores} × ${cpu}, Node ${node}, commit ${baseline.commit}`;
  return isSame
    ? `Baseline: ${where}. More is slower.\n`
    : `The baseline is another machine's (${where}): differences mean nothing.\n`;
}

function align(rows: readonly (readonly string[])[]): string {
  const [header = []] = rows;
  const widths = header.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const format = (row: readonly string[]): string => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${cells.join(" | ")} |`;
  };
  const rule = format(widths.map((width) => "-".repeat(width)));
  return [format(header), rule, ...rows.slice(1).map(format)].join("\n");
}
