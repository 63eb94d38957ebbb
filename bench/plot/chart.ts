import type { Report } from "../report/report.ts";
import { chartRows, type ChartBar, type ChartRow } from "./chart-rows.ts";

const WIDTH = 890;
const MARGIN = 20;
const LABEL_WIDTH = 220;
const BARS_LEFT = MARGIN + LABEL_WIDTH;
const BARS_WIDTH = 400;
const BAR_HEIGHT = 13;
/** Lines of a group's label need the height of so many bars. */
const BARS_MIN = 3;
const ROW_GAP = 14;
const HEADER_HEIGHT = 86;
const LINE_HEIGHT = 16;

const NAMES: Readonly<Record<string, string>> = {
  quorate: "Quorate",
  zookeeper: "ZooKeeper",
  etcd: "etcd",
  etcd3: "etcd by npm etcd3",
};
const FIGURES = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const LARGE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A ground of its own, so that it can be read on any page, and a dark one where that is preferred. */
const STYLE = `
    svg { --ground: #ffffff; --line: #d0d7de; --text: #1f2328; --dim: #59636e;
      --quorate: #1f6feb; --zookeeper: #b3681c; --etcd: #1a8a7a; --etcd3: #8c6bb1; --other: #6e7781; }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #0d1117; --line: #3d444d; --text: #f0f6fc; --dim: #9198a1;
        --quorate: #4c9aff; --zookeeper: #d99a52; --etcd: #3fc1ad; --etcd3: #b79be0; --other: #9198a1; }
    }
    text { font: 12px system-ui, sans-serif; fill: var(--text); }
    .title { font-size: 17px; font-weight: 600; }
    .workload { font-weight: 600; }
    .dim { fill: var(--dim); font-size: 11px; }
    .range { stroke: var(--text); stroke-width: 1; }
    .invalid { fill-opacity: 0.12; stroke-dasharray: 3 2; }`;

/**
 * Bars for every system, one group for each figure that stands for a workload. All bars of a group have one scale, from
 * zero; groups do not share theirs. What is invalid is hollow and says so.
 */
export function drawChart(report: Report): string {
  const rows = chartRows(report.results, report.ratios);
  const parts: string[] = [];
  let y = HEADER_HEIGHT;
  for (const row of rows) {
    parts.push(drawRow(row, y));
    y += Math.max(row.bars.length, BARS_MIN) * BAR_HEIGHT + ROW_GAP;
  }
  const footer = footerOf(report).map((line, at) =>
    text([MARGIN, y + 8 + at * LINE_HEIGHT], line, "dim"),
  );
  const height = y + footer.length * LINE_HEIGHT + MARGIN;
  const systems = [...new Set(rows.flatMap(({ bars }) => bars.map(({ system }) => system)))];
  const title = `${systems.map((system) => NAMES[system] ?? system).join(", ")} on the same machine`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `  <title>${title}</title>`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8" fill="var(--ground)" stroke="var(--line)"/>`,
    text([MARGIN, 32], title, "title"),
    drawLegend(systems),
    text([WIDTH - MARGIN, HEADER_HEIGHT - 14], "to the better peer", "dim", "end"),
    ...parts,
    ...footer,
    "</svg>",
    "",
  ].join("\n");
}

function drawLegend(systems: readonly string[]): string {
  let x = MARGIN;
  return systems
    .map((system) => {
      const label = NAMES[system] ?? system;
      const left = x;
      x += 34 + label.length * 7;
      const box = `  <rect x="${left}" y="48" width="11" height="11" fill="${colorOf(system)}"/>`;
      return `${box}\n${text([left + 17, 58], label)}`;
    })
    .join("\n");
}

function drawRow(row: ChartRow, y: number): string {
  const scale =
    BARS_WIDTH /
    Math.max(...row.bars.map(({ value, high }) => Math.max(value ?? 0, high)), Number.MIN_VALUE);
  const direction = row.better === "higher" ? "longer is better" : "shorter is better";
  return [
    text([MARGIN, y + 10], row.workload, "workload"),
    text([MARGIN, y + 23], `${row.metric}, ${row.unit}`, "dim"),
    text([MARGIN, y + 36], direction, "dim"),
    ...row.bars.map((bar, at) => drawBar(bar, y + at * BAR_HEIGHT, scale)),
    ...(row.ratio === null
      ? []
      : [text([WIDTH - MARGIN, y + 10], `${row.ratio.toFixed(2)} ×`, "workload", "end")]),
  ].join("\n");
}

function drawBar(
  { system, value, low, high, isValid }: ChartBar,
  y: number,
  scale: number,
): string {
  const middle = y + (BAR_HEIGHT - 2) / 2;
  if (value === null) return text([BARS_LEFT + 6, middle + 4], "invalid: no figure", "dim");
  const color = colorOf(system);
  const kind = isValid ? "" : ` class="invalid" stroke="${color}"`;
  const width = round(value * scale);
  const bar = `  <rect x="${BARS_LEFT}" y="${y}" width="${width}" height="${BAR_HEIGHT - 2}" fill="${color}"${kind}/>`;
  const range = high > low ? [line(BARS_LEFT + low * scale, BARS_LEFT + high * scale, middle)] : [];
  const end = BARS_LEFT + Math.max(value, high) * scale + 6;
  const label = `${figure(value)}${isValid ? "" : " invalid"}`;
  return [bar, ...range, text([round(end), middle + 4], label, "dim")].join("\n");
}

function footerOf({ machine, commit, versions, settings }: Report): readonly string[] {
  const memory = Math.round(machine.memoryBytes / 2 ** 30);
  const { rounds } = settings;
  const measured =
    rounds === 1 ? "one round: to look, not to quote" : `medians of ${rounds} rounds`;
  return [
    `Bars of a group have one scale, groups do not; ${measured}, thin lines from the lowest to the highest. Hollow: invalid.`,
    `${machine.cores} × ${machine.cpu}, ${memory} GiB, Linux ${machine.kernel}; servers and clients share it.`,
    `Commit ${commit}.`,
    ...Object.entries(versions).map(([system, version]) => `${NAMES[system] ?? system} ${version}`),
  ];
}

function text(
  [x, y]: readonly [number, number],
  content: string,
  kind = "",
  anchor = "start",
): string {
  const styled = kind === "" ? "" : ` class="${kind}"`;
  const anchored = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `  <text x="${x}" y="${y}"${styled}${anchored}>${escape(content)}</text>`;
}

function line(from: number, to: number, y: number): string {
  return `  <line x1="${round(from)}" x2="${round(to)}" y1="${y}" y2="${y}" class="range"/>`;
}

function colorOf(system: string): string {
  return Object.hasOwn(NAMES, system) ? `var(--${system})` : "var(--other)";
}

function figure(value: number): string {
  return (value >= 1000 ? LARGE : FIGURES).format(value);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escape(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
