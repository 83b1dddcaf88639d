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

/** A member called with a literal: `deps.meter.count("x", 1, { y })` is meter, count, "x" and ["y"]. */
export interface Call extends Place {
  object: string;
  member: string;
  /** Members of the object literals among the arguments. */
  keys: readonly string[];
}

const leftOut = new Set(["node_modules", ".git", ".weir", ".cache", "coverage"]);
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

interface Node {
  type: string;
  start: number;
  end: number;
  [member: string]: unknown;
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
    const source = node["source"] as Node | null | undefined;
    if (isNode(source) && typeof source["value"] === "string") {
      facts.imports.push({ line, text: source["value"] });
    }
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
    for (const member of Object.values(node)) {
      if (Array.isArray(member)) for (const each of member) isNode(each) && visit(each, node);
      else if (isNode(member)) visit(member, node);
    }
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
    /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) &&
    isNode(node["body"])
  );
}

function nameOf(node: Node, parent: Node | undefined): string {
  const named = [node["id"], parent?.["id"], parent?.["key"]].find(isNode);
  return typeof named?.["name"] === "string" ? named["name"] : "a function";
}

function exportedNames(node: Node): string[] {
  const declaration = node["declaration"] as Node | null | undefined;
  const specifiers = (node["specifiers"] as Node[] | undefined) ?? [];
  const declared = isNode(declaration)
    ? [declaration, ...((declaration["declarations"] as Node[] | undefined) ?? [])].map((each) => each["id"])
    : [];
  return [...declared, ...specifiers.map((each) => each["exported"])]
    .filter(isNode)
    .map((identifier) => identifier["name"])
    .filter((name): name is string => typeof name === "string");
}

function callOf(node: Node, line: number): Call[] {
  const callee = node["callee"] as Node;
  const given = node["arguments"] as Node[];
  const text = given[0]?.["value"];
  if (!/MemberExpression$/.test(callee.type) || typeof text !== "string") return [];
  const object = callee["object"] as Node;
  const last = isNode(object["property"]) ? object["property"] : object;
  const keys = given
    .filter(({ type }) => type === "ObjectExpression")
    .flatMap((literal) => literal["properties"] as Node[])
    .map((property) => property["key"])
    .filter(isNode)
    .map((key) => String(key["value"] ?? key["name"]));
  return [
    { line, text, object: String(last["name"]), member: String((callee["property"] as Node)["name"]), keys },
  ];
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
