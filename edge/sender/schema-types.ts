// Event types out of the declarations that `weir schema` reads, so that one list governs edge and program.

/** A type as it is declared: JSON Schema of its payload. */
export interface Declaration {
  readonly type: string;
  readonly payload?: object;
}

/**
 * The types and payloads of a list of declarations written `as const`. Of several versions of one type a
 * payload may be any. What the schema language can say beyond this is `unknown`, which the edge still checks.
 */
export type EventsOf<Declarations extends readonly Declaration[]> = {
  [Type in Declarations[number]["type"]]: PayloadOf<Extract<Declarations[number], { type: Type }>>;
};

type PayloadOf<Declared> = Declared extends { payload: infer Schema } ? ObjectOf<Schema> : Loose | undefined;
type Loose = Readonly<Record<string, unknown>>;

type ObjectOf<Schema> = Schema extends { properties: infer Properties }
  ? {
      -readonly [Name in keyof Properties as Name extends RequiredOf<Schema> ? Name : never]: ValueOf<
        Properties[Name]
      >;
    } & {
      -readonly [Name in keyof Properties as Name extends RequiredOf<Schema> ? never : Name]?: ValueOf<
        Properties[Name]
      >;
    } & (Schema extends { additionalProperties: false } ? unknown : Loose)
  : Loose;

type RequiredOf<Schema> = Schema extends { required: readonly (infer Name)[] } ? Name : never;

type ValueOf<Schema> = Schema extends { const: infer Value }
  ? Value
  : Schema extends { enum: readonly (infer Value)[] }
    ? Value
    : Schema extends { type: readonly (infer Kind)[] }
      ? KindOf<Kind, Schema>
      : Schema extends { type: infer Kind }
        ? KindOf<Kind, Schema>
        : unknown;

type KindOf<Kind, Schema> = Kind extends "string"
  ? string
  : Kind extends "number" | "integer"
    ? number
    : Kind extends "boolean"
      ? boolean
      : Kind extends "null"
        ? null
        : Kind extends "array"
          ? (Schema extends { items: infer Items } ? ValueOf<Items> : unknown)[]
          : Kind extends "object"
            ? ObjectOf<Schema>
            : unknown;
