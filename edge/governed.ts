// Governed types at the edge: whether a payload is what its type's version may hold, and how it is told apart.
import { type OutputUnit, Validator } from "@cfworker/json-schema";
import type { GovernedType } from "../shared/event/governed.ts";
import { EventFault } from "./fault.ts";

/** One version of a type, ready to judge events. */
export interface Governed {
  /** Undefined where the payload is as it should be. Pure JSON comes in, so that nothing throws. */
  fault(payload: Readonly<Record<string, unknown>>): EventFault | undefined;
  /** Overrides how an event of this type is told apart. */
  window: { ms: number; discriminator: string | undefined } | undefined;
}

/** A project's governed types. */
export interface GovernedTypes {
  /** `unknown` is a version that a governed type does not have; undefined a type nobody governs. */
  find(type: string, version: number): Governed | "unknown" | undefined;
}

const made = new WeakMap<readonly GovernedType[], GovernedTypes>();

/** The types ready to judge; made once for a list, and undefined for an empty one. */
export function governedBy(types: readonly GovernedType[] | undefined): GovernedTypes | undefined {
  if (types === undefined || types.length === 0) return undefined;
  const known = made.get(types) ?? governTypes(types);
  made.set(types, known);
  return known;
}

/** Makes the types ready. */
export function governTypes(types: readonly GovernedType[]): GovernedTypes {
  const byType = new Map<string, Map<number, Governed>>();
  for (const one of types) {
    const versions = byType.get(one.type) ?? new Map<number, Governed>();
    byType.set(one.type, versions.set(one.version, govern(one)));
  }
  return {
    find(type, version) {
      const versions = byType.get(type);
      return versions === undefined ? undefined : (versions.get(version) ?? "unknown");
    },
  };
}

function govern({ payload: schema, identity }: GovernedType): Governed {
  let validator: Validator | undefined;
  return {
    window:
      identity === null
        ? undefined
        : { ms: identity.window_ms, discriminator: identity.discriminator ?? undefined },
    fault(payload) {
      try {
        validator ??= new Validator(schema, "2020-12");
        const { valid, errors } = validator.validate(payload);
        // The first errors are of the whole, the last one is of the very member.
        return valid ? undefined : faultOf(errors.at(-1)!);
      } catch {
        // Declared by another version of Weir. Letting its events by would be worse than keeping them.
        return unreadable;
      }
    },
  };
}

const unreadable = new EventFault("schema_violation", "/payload", "The type's schema cannot be read here.");

// Our own sentences: the library's name values, and details are logged and kept.
function faultOf({ keyword, instanceLocation }: OutputUnit): EventFault {
  const pointer = `/payload${decodeURI(instanceLocation).replace(/^#/, "")}`;
  return new EventFault(
    "schema_violation",
    pointer,
    details[keyword] ?? "The type's schema does not allow it.",
  );
}

const details: Readonly<Record<string, string>> = {
  type: "It has another type than the schema names.",
  required: "A member that the schema requires is missing.",
  false: "The schema names no such member.",
  additionalProperties: "The schema names no such member.",
  enum: "It is none of the values the schema lists.",
  const: "It is not the value the schema names.",
  minimum: "It is less than the schema allows.",
  maximum: "It is more than the schema allows.",
  minLength: "It is shorter than the schema allows.",
  maxLength: "It is longer than the schema allows.",
  pattern: "It does not have the form the schema asks for.",
  format: "It does not have the form the schema asks for.",
};
