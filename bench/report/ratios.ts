import { METRICS, type MetricName } from "../metrics.ts";
import type { Result } from "./report.ts";

/** The subject beside the better of the others; more than 1 is better for the subject, whatever the metric. */
export interface Ratio {
  readonly workload: string;
  readonly metric: MetricName;
  readonly quorate: number;
  readonly best: number;
  readonly bestPeer: string;
  readonly ratio: number;
}

/** A figure of the subject's that has no ratio, though others took part. */
export interface MissingRatio {
  readonly workload: string;
  readonly metric: MetricName;
  readonly reason: string;
}

/** What is set beside what. */
export interface Comparison {
  readonly results: readonly Result[];
  /** The system that the others are peers of. */
  readonly subject: string;
  /** Peers that count only where no other was asked for: the servers of another one under a client that limits them. */
  readonly standIns?: ReadonlySet<string>;
}

/** Of the subject's figures those that may be set beside the better peer's. */
export function ratiosOf(comparison: Comparison): readonly Ratio[] {
  return compareAll(comparison).flatMap((found) => ("ratio" in found ? [found] : []));
}

/** Of the subject's figures those that may not, and why. */
export function missingRatiosOf(comparison: Comparison): readonly MissingRatio[] {
  return compareAll(comparison).flatMap((found) => ("reason" in found ? [found] : []));
}

function compareAll({
  results,
  subject,
  standIns = new Set(),
}: Comparison): readonly (Ratio | MissingRatio)[] {
  const others = results.filter(({ system }) => system !== subject);
  const areFull = others.some(({ system }) => !standIns.has(system));
  const peers = others.filter(({ system }) => !areFull || !standIns.has(system));
  return results.flatMap((own): (Ratio | MissingRatio)[] => {
    if (own.system !== subject) return [];
    const taking = peers.filter(({ workload }) => workload === own.workload);
    return taking.length === 0 ? [] : [compare(own, taking)];
  });
}

/**
 * `taking`: all figures of the peers that took part. One whose run failed may have been the better one, so that without
 * it there is no better one to tell.
 */
function compare(own: Result, taking: readonly Result[]): Ratio | MissingRatio {
  const { workload, metric } = own;
  const missing = (reason: string): MissingRatio => ({ workload, metric, reason });
  const all = [own, ...taking];
  const invalid = systemsOf(all.filter(({ valid }) => !valid));
  if (invalid.length > 0) return missing(`invalid: ${invalid.join(", ")}`);
  const figures = all.filter(
    (result) => result.metric === metric && Number.isFinite(result.median),
  );
  const known = new Set(systemsOf(figures));
  const unknown = systemsOf(all).filter((system) => !known.has(system));
  if (unknown.length > 0) return missing(`no figure: ${unknown.join(", ")}`);
  const counting = figures.filter(({ sustained }) => sustained || !METRICS[metric].isLatency);
  const peers = counting.filter((result) => result !== own);
  if (peers.length === counting.length) return missing(`rate not sustained: ${own.system}`);
  const isHigherBetter = METRICS[metric].better === "higher";
  peers.sort((a, b) => (isHigherBetter ? b.median - a.median : a.median - b.median));
  const [best] = peers;
  if (best === undefined) return missing("rate not sustained by any peer");
  const ratio = isHigherBetter
    ? quotient(own.median, best.median)
    : quotient(best.median, own.median);
  if (!Number.isFinite(ratio)) return missing("no number tells how many times better than 0");
  return { workload, metric, quorate: own.median, best: best.median, bestPeer: best.system, ratio };
}

function systemsOf(results: readonly Result[]): readonly string[] {
  return [...new Set(results.map(({ system }) => system))];
}

function quotient(dividend: number, divisor: number): number {
  return dividend === divisor ? 1 : dividend / divisor;
}
