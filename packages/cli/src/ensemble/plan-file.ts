import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { usageError } from "../cli-error.ts";
import { counted } from "../format/counted.ts";
import { planEnsemble, portsFrom, type EnsemblePlan } from "./ensemble-plan.ts";

/** What makes up a development ensemble; kept beside its data, because its members must not change behind its back. */
export interface EnsembleShape {
  readonly nodes: number;
  readonly port: number;
}

/** What the operator asked for; what is missing is taken from the folder, else from the defaults. */
export interface WantedShape {
  readonly nodes?: number;
  readonly port?: number;
}

const FILE = "ensemble.json";
const FORMAT = 1;
const DEFAULT_SHAPE: EnsembleShape = { nodes: 3, port: 7001 };

/** An ensemble as a folder holds it, or could. */
export interface OpenedPlan {
  readonly plan: EnsemblePlan;
  readonly isNew: boolean;
  /** Makes a new one the folder's own; nothing is written before. */
  readonly keep: () => Promise<void>;
}

/**
 * The ensemble kept in `directory`, or a new one. Throws a usage error when the folder holds one of another shape than
 * wanted: nodes and addresses are part of what the nodes agreed on.
 */
export async function openEnsemblePlan(
  directory: string,
  wanted: WantedShape,
): Promise<OpenedPlan> {
  const kept = await readShape(join(directory, FILE));
  const shape = kept ?? { ...DEFAULT_SHAPE, ...wanted };
  checkShape(directory, shape, wanted);
  return {
    plan: planEnsemble(directory, portsFrom(shape.port, shape.nodes)),
    isNew: kept === null,
    keep: async () => (kept === null ? keepShape(directory, shape) : undefined),
  };
}

async function keepShape(directory: string, shape: EnsembleShape): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, FILE), `${JSON.stringify({ format: FORMAT, ...shape })}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `cannot keep an ensemble in ${directory}: ${reason}`,
      "name a folder to write to with --data",
    );
  }
}

function checkShape(directory: string, kept: EnsembleShape, wanted: WantedShape): void {
  const options = [
    ...(wanted.nodes === undefined || wanted.nodes === kept.nodes ? [] : ["--nodes"]),
    ...(wanted.port === undefined || wanted.port === kept.port ? [] : ["--port"]),
  ];
  if (options.length === 0) return;
  throw usageError(
    `${directory} holds an ensemble of ${counted(kept.nodes, "node")} on port ${kept.port}`,
    `leave ${options.join(" and ")} out to resume it, or start another one with --data`,
  );
}

async function readShape(file: string): Promise<EnsembleShape | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return null;
  }
  const shape = parseShape(text);
  if (shape === null)
    throw usageError(`${file} is of no format this release knows`, "start another one with --data");
  return shape;
}

function parseShape(text: string): EnsembleShape | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isShape(value) ? { nodes: value.nodes, port: value.port } : null;
}

function isShape(value: unknown): value is EnsembleShape {
  if (typeof value !== "object" || value === null) return false;
  if (!("format" in value) || value.format !== FORMAT) return false;
  return "nodes" in value && isCount(value.nodes) && "port" in value && isCount(value.port);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}
