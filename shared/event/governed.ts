// Governed types: event types whose payload a project has described, and may have given an identity of its own.
import * as z from "zod/mini";
import { identifierLengthMax } from "../limits.ts";

const identifier = z.string().check(z.minLength(1), z.maxLength(identifierLengthMax));

/** One version of one type, as it is declared, kept, and learned by edges. */
export const governedShape = z.object({
  type: identifier,
  version: z._default(z.int().check(z.minimum(1), z.maximum(0x7fff_ffff)), 1),
  /** JSON Schema of the payload, in the part of it that zod reads: no `if`, no references to elsewhere. */
  payload: z._default(z.record(z.string(), z.unknown()), {}),
  /**
   * One event of all that a user sends of this type within a window, told apart by the payload's member
   * `discriminator`; null leaves the identity as it is. Fixed for ever once it is declared.
   */
  identity: z._default(
    z.nullable(
      z.object({
        window_ms: z.int().check(z.minimum(1_000), z.maximum(24 * 60 * 60_000)),
        discriminator: z._default(z.nullable(identifier), null),
      }),
    ),
    null,
  ),
});

export type GovernedType = z.output<typeof governedShape>;

/** The names a declaration may have; edges pass over what a newer one says beside them. */
export const governedNames: readonly string[] = Object.keys(governedShape.shape);
