// Governed types as a TypeScript module, for clients that want their events checked while they are written.
import type { GovernedType } from "../../shared/event/governed.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Deeper than any event may nest; what lies below is `unknown`. */
const depthMax = 32;

/**
 * An `Events` interface from type to payload, the newest version of each. What JSON Schema says beyond
 * TypeScript's types, such as a pattern, is left to the edge.
 */
export function typesModule(project: string, types: readonly GovernedType[]): string {
  const newest = new Map<string, GovernedType>();
  for (const one of types) {
    if (one.version >= (newest.get(one.type)?.version ?? 0)) newest.set(one.type, one);
  }
  const members = [...newest.values()]
    .sort((one, other) => (one.type < other.type ? -1 : 1))
    .map(({ type, payload }) => `  ${JSON.stringify(type)}: ${typeOf(payload, 1)};`);
  return [
    `// The events of project ${JSON.stringify(project)}, as \`weir schema types\` writes them.`,
    "export interface Events {",
    ...members,
    "}",
    "",
  ].join("\n");
}

function typeOf(schema: unknown, depth: number): string {
  if (schema === false) return "never";
  if (!isSchema(schema) || depth > depthMax) return "unknown";
  if (Object.hasOwn(schema, "const")) return JSON.stringify(schema["const"]);
  if (Array.isArray(schema["enum"])) return either(schema["enum"].map((value) => JSON.stringify(value)));
  for (const [word, join] of unions) {
    const parts = schema[word];
    if (Array.isArray(parts)) return join(parts.map((part) => typeOf(part, depth)));
  }
  const named = schema["type"];
  if (Array.isArray(named)) return either(named.map((type) => typeOf({ ...schema, type }, depth)));
  switch (named) {
    case "string":
      return "string";
    case "number":
    case "integer":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return `readonly (${typeOf(schema["items"], depth)})[]`;
    default:
      return named === "object" || isSchema(schema["properties"]) ? objectType(schema, depth) : "unknown";
  }
}

function objectType(schema: Schema, depth: number): string {
  const properties = isSchema(schema["properties"]) ? schema["properties"] : {};
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  const indent = "  ".repeat(depth);
  const members = Object.entries(properties).map(
    ([name, member]) =>
      `${indent}  ${JSON.stringify(name)}${required.has(name) ? "" : "?"}: ${typeOf(member, depth + 1)};`,
  );
  // With named members an index type would have to allow all of theirs too.
  if (schema["additionalProperties"] !== false) members.push(`${indent}  [name: string]: unknown;`);
  return members.length === 0 ? "Record<string, never>" : `{\n${members.join("\n")}\n${indent}}`;
}

const either = (parts: readonly string[]): string => (parts.length === 0 ? "never" : parts.join(" | "));
const unions = [
  ["anyOf", either],
  ["oneOf", either],
  ["allOf", (parts: readonly string[]) => parts.map((part) => `(${part})`).join(" & ")],
] as const;

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
