// The repository as data: every file's text, and what a TypeScript file imports, exports, calls and holds.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "vitest/node";

/** Path from the root, with slashes, to text. */
export type Tree = ReadonlyMap<string, string>;

/** Something with a place; lines count from 1. */
export interface Place {
  line: number;
  text: string;
}

export interface SourceFacts {
  /** What is imported, re-exported or loaded by a literal, as it is written. */
  imports: readonly Place[];
  /** Names this file exports, types included. */
  exports: readonly Place[];
  /** Functions of every form, the outermost first. */
  functions: readonly FunctionFacts[];
  calls: readonly Call[];
}

export interface FunctionFacts {
  line: number;
  name: string;
  /** From its first line to its last. */
  lines: number;
  /** Those without the bodies of the functions inside it. */
  ownLines: number;
}

/** A member called with a literal: `deps.meter.count("x", 1, { y })` is meter, count, "x" and .y. */
export interface Call extends Place {
  object: string;
  member: string;
  /** Members of the object literals among the arguments. */
  keys: readonly string[];
}

const leftOut = new Set(["node_modules", ".git", ".weir", ".dist", ".cache", "coverage"]);
const binary = /\.(png|jpg|jpeg|gif|ico|woff2?|gz|br|zst|wasm|db|sqlite)$/;

/** Reads every text file of ours below `root`; what git never keeps is left out. */
export function readTree(root: string): Tree {
  const tree = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (leftOut.has(entry.name) || binary.test(path) || path.endsWith(".log")) continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) tree.set(path, readFileSync(join(root, path), "utf8"));
    }
  };
  walk("");
  return tree;
}

/** A node of the syntax tree (ESTree), with those of its members that are looked at here. */
interface Node {
  type: string;
  start: number;
  end: number;
  name?: string;
  value?: unknown;
  id?: Node | null;
  key?: Node;
  body?: unknown;
  source?: Node | null;
  declaration?: Node | null;
  declarations?: Node[];
  specifiers?: Node[];
  exported?: Node;
  callee?: Node;
  arguments?: Node[];
  object?: Node;
  property?: Node;
  properties?: Node[];
}

const known = new Map<string, SourceFacts>();

/** What a TypeScript text says of itself; the same text is parsed once. */
export function factsOf(text: string): SourceFacts {
  const seen = known.get(text);
  if (seen !== undefined) return seen;
  const lineAt = lineFinder(text);
  const facts = {
    imports: [] as Place[],
    exports: [] as Place[],
    functions: [] as FunctionFacts[],
    calls: [] as Call[],
  };
  const around: FunctionFacts[] = [];
  const visit = (node: Node, parent: Node | undefined): void => {
    const line = lineAt(node.start);
    const depth = around.length;
    const imported = node.source?.value;
    if (typeof imported === "string") facts.imports.push({ line, text: imported });
    if (node.type.startsWith("Export"))
      facts.exports.push(...exportedNames(node).map((name) => ({ line, text: name })));
    if (isFunction(node)) {
      const lines = lineAt(node.end) - line + 1;
      const outer = around.at(-1);
      if (outer !== undefined) outer.ownLines -= Math.max(0, lines - 2);
      const found = { line, name: nameOf(node, parent), lines, ownLines: lines };
      facts.functions.push(found);
      around.push(found);
    }
    if (node.type === "CallExpression") facts.calls.push(...callOf(node, line));
    for (const inner of Object.values(node).flat().filter(isNode)) visit(inner, node);
    around.length = depth;
  };
  visit(parseAst(text, { lang: "ts" }) as unknown as Node, undefined);
  known.set(text, facts);
  return facts;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

// A declaration without a body is a type, not a function.
function isFunction(node: Node): boolean {
  return (
    /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) && isNode(node.body)
  );
}

function nameOf(node: Node, parent: Node | undefined): string {
  return [node.id, parent?.id, parent?.key].find((named) => named?.name !== undefined)?.name ?? "a function";
}

function exportedNames({ declaration, specifiers = [] }: Node): string[] {
  const declared = declaration ? [declaration, ...(declaration.declarations ?? [])] : [];
  const names = [...declared.map(({ id }) => id?.name), ...specifiers.map(({ exported }) => exported?.name)];
  return names.filter((name) => name !== undefined);
}

function callOf({ callee, arguments: given = [] }: Node, line: number): Call[] {
  const text = given[0]?.value;
  const object = callee?.object?.property ?? callee?.object;
  const member = callee?.property?.name;
  if (typeof text !== "string" || member === undefined) return [];
  const properties = given.flatMap((argument) => argument.properties ?? []);
  const keys = properties.map(({ key }) => String(key?.value ?? key?.name));
  return [{ line, text, object: object?.name ?? "", member, keys }];
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
