// Which column of a CSV file becomes which field of an event, and the event's JSON made by it.
import { MisuseError } from "../../../shared/command.ts";
import type { SourceEvent } from "./source-event.ts";

const columnTypes = ["string", "number", "boolean"] as const;
type ColumnType = (typeof columnTypes)[number];

/** `column` by its header, or `constant` for every row. `path` is the field's place in the event. */
export type FieldMapping =
  | { path: readonly string[]; column: string; type: ColumnType }
  | { path: readonly string[]; constant: string };
export type FieldMap = readonly FieldMapping[];

const entryForm =
  /^\s*([A-Za-z_][\w.-]*)\s*=\s*(?:'([^']*)'|(?:"([^"]*)"|([^,:"']*?))\s*(?::\s*(\w+))?)\s*(?:,|$)/;

/**
 * Reads `field=column,payload.price=Price:number,type='purchase'`: a column may stand in double quotes
 * and may be typed; a text in single quotes is the same for every row. Throws a MisuseError.
 */
export function parseMap(text: string): FieldMap {
  const map: FieldMapping[] = [];
  for (let rest = text; rest.trim() !== ""; ) {
    const found = entryForm.exec(rest);
    if (found === null) throw new MisuseError(`--map cannot be read at: ${rest}`);
    const [whole, field, constant, quoted, plain, typeName] = found;
    const path = field!.split(".");
    const type = (typeName ?? usualType(field!)) as ColumnType;
    if (!columnTypes.includes(type))
      throw new MisuseError(`--map knows the types ${columnTypes.join(", ")}; not ${typeName}`);
    map.push(
      constant === undefined ? { path, column: (quoted ?? plain ?? "").trim(), type } : { path, constant },
    );
    rest = rest.slice(whole.length);
  }
  return map;
}

/** Every column under its own name, for a file whose header speaks of our fields. */
export function mapHeader(header: readonly string[]): FieldMap {
  return header
    .filter((column) => column.trim() !== "")
    .map((column) => ({ path: column.trim().split("."), column, type: usualType(column.trim()) }));
}

/** The two fields of an event that are numbers and nothing else. */
const usualType = (field: string): ColumnType =>
  field === "seq" || field === "version" ? "number" : "string";

type Leaf = { pointer: string; at: number; type: ColumnType; isTime: boolean } | { text: string };
interface Branch {
  members: [string, Leaf | Branch][];
}
export type CompiledMap = Branch;

/** Resolves columns to places. Throws a MisuseError where the header lacks one or two paths collide. */
export function compileMap(map: FieldMap, header: readonly string[]): CompiledMap {
  const root: Branch = { members: [] };
  for (const mapping of map) {
    let branch = root;
    for (const part of mapping.path.slice(0, -1)) branch = branchOf(branch, part, mapping.path);
    const last = mapping.path.at(-1)!;
    if (branch.members.some(([name]) => name === last))
      throw new MisuseError(`--map names ${mapping.path.join(".")} twice`);
    branch.members.push([last, leafOf(mapping, header)]);
  }
  return root;
}

function branchOf(parent: Branch, name: string, path: readonly string[]): Branch {
  const known = parent.members.find(([member]) => member === name)?.[1];
  if (known !== undefined && "members" in known) return known;
  if (known !== undefined)
    throw new MisuseError(`--map names ${path.join(".")} under a field that has a value`);
  const made: Branch = { members: [] };
  parent.members.push([name, made]);
  return made;
}

function leafOf(mapping: FieldMapping, header: readonly string[]): Leaf {
  if ("constant" in mapping) return { text: JSON.stringify(mapping.constant) };
  const at = header.findIndex((column) => column.trim() === mapping.column.trim());
  if (at < 0) throw new MisuseError(`the file has no column ${mapping.column}; it has ${header.join(", ")}`);
  const pointer = `/${mapping.path.join("/")}`;
  return { pointer, at, type: mapping.type, isTime: pointer === "/timestamp" };
}

const numberForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const encoder = new TextEncoder();

/**
 * A row as an event's JSON. An empty cell is an absent field; a number keeps the digits it was written
 * with. A cell that is not of its type makes the row a refused event that holds the row's own bytes.
 */
export function renderRow(
  row: Uint8Array,
  fields: readonly string[],
  map: CompiledMap,
  zoned: (time: string) => string,
): SourceEvent {
  const faults: { pointer: string; type: ColumnType }[] = [];
  const json = render(map) ?? "{}";
  const fault = faults[0];
  if (fault === undefined) return { bytes: encoder.encode(json) };
  const detail = `the cell is no ${fault.type}`;
  return { bytes: row, refusal: { code: "invalid_type", pointer: fault.pointer, detail } };

  function render(branch: Branch): string | undefined {
    let text = "";
    for (const [name, member] of branch.members) {
      const value = "members" in member ? render(member) : leaf(member);
      if (value !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${value}`;
    }
    return text === "" ? undefined : `{${text}}`;
  }

  function leaf(member: Leaf): string | undefined {
    if ("text" in member) return member.text;
    const cell = fields[member.at]!;
    if (cell === "") return undefined;
    if (member.type === "string") return JSON.stringify(member.isTime ? zoned(cell) : cell);
    const trimmed = cell.trim();
    if (member.type === "number" && numberForm.test(trimmed)) return trimmed;
    if (member.type === "boolean" && /^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase();
    faults.push(member);
    return undefined;
  }
}
