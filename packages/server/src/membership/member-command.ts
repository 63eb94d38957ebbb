import { isNodeName } from "../config/settings.ts";
import { ServerError } from "../errors.ts";

/** What an operator wants of the membership. */
export type MemberCommand =
  /** The node that asks to join under this name is taken in; `stays` as a learner, or votes once it has caught up. */
  | { readonly kind: "add"; readonly name: string; readonly staysLearner: boolean }
  /** The learner votes once it has caught up. */
  | { readonly kind: "promote"; readonly name: string }
  | { readonly kind: "remove"; readonly name: string }
  /** Once the node `by` has caught up it votes in the place of `name`, which leaves with the same change. */
  | { readonly kind: "replace"; readonly name: string; readonly by: string };

type Fields = Readonly<Record<string, unknown>>;

/** Reads a command out of parsed JSON. Throws REQUEST_INVALID. */
export function readMemberCommand(value: unknown): MemberCommand {
  if (typeof value !== "object" || value === null) throw invalid("a command is an object");
  const fields: Fields = Object.fromEntries(Object.entries(value));
  const command = commandIn(fields);
  const foreign = Object.keys(fields).find((name) => !Object.hasOwn(command, name));
  if (foreign !== undefined) throw invalid(`"${command.kind}" has no field "${foreign}"`);
  return command;
}

function commandIn(fields: Fields): MemberCommand {
  const { kind } = fields;
  const name = nameIn(fields, "name");
  switch (kind) {
    case "add": {
      const { staysLearner } = fields;
      if (typeof staysLearner !== "boolean") throw invalid("staysLearner is true or false");
      return { kind, name, staysLearner };
    }
    case "promote":
    case "remove":
      return { kind, name };
    case "replace":
      return { kind, name, by: nameIn(fields, "by") };
    default:
      throw invalid(`there is no command ${JSON.stringify(kind)}`);
  }
}

function nameIn(fields: Fields, field: string): string {
  const name = readNodeName(fields[field]);
  if (name === null) throw invalid(`${field} is missing`);
  return name;
}

/** Reads a node's name, or null. Throws REQUEST_INVALID. */
export function readNodeName(value: unknown): string | null {
  if (value === null) return null;
  if (isNodeName(value)) return value;
  throw invalid(`${JSON.stringify(value)} is no name of a node`);
}

function invalid(text: string): ServerError {
  return new ServerError("REQUEST_INVALID", text);
}
