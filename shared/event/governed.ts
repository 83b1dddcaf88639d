// Governed types: event types whose payload a project has described, and may have given an identity of its own.
import { z } from "zod";
import { governedTypesMax, identifierLengthMax } from "../limits.ts";

const identifier = z.string().min(1).max(identifierLengthMax);

/** One version of one type, as it is declared, kept, and learned by edges. */
export const governedShape = z.strictObject({
  type: identifier,
  version: z.int().min(1).max(0x7fff_ffff).default(1),
  /** JSON Schema of the payload, in the part of it that zod reads: no `if`, no references to elsewhere. */
  payload: z.record(z.string(), z.unknown()).default({}),
  /**
   * One event of all that a user sends of this type within a window, told apart by the payload's member
   * `discriminator`; null leaves the identity as it is. Fixed for ever once it is declared.
   */
  identity: z
    .strictObject({
      window_ms: z
        .int()
        .min(1_000)
        .max(24 * 60 * 60_000),
      discriminator: identifier.nullable().default(null),
    })
    .nullable()
    .default(null),
});

export type GovernedType = z.output<typeof governedShape>;

/** What an edge is told of one project. */
export const governedListShape = z.array(governedShape).max(governedTypesMax);
