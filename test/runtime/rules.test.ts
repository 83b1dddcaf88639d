// What a Worker carries in place of zod/mini and msgpackr does what they do: the same verdicts, the same bytes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as zod from "zod/mini";
import { Packr as OwnPackr } from "../../edge/adapter/packr.ts";
import * as own from "../../edge/adapter/rules.ts";
import { pack, unpack } from "../../shared/wire/msgpack.ts";

/** One schema of each kind in use, made by either. */
const schemas = (z: typeof zod) => ({
  text: z._default(z.string().check(z.minLength(1), z.maxLength(4)), "a"),
  pattern: z.string().check(z.regex(/^[a-z]*$/, "must be plain")),
  whole: z._default(z.coerce.number().check(z.int(), z.minimum(0), z.maximum(9)), 3),
  positive: z._default(z.coerce.number().check(z.positive()), 5),
  choice: z.pipe(
    z._default(z.enum(["0", "1"]), "0"),
    z.transform((value: "0" | "1") => value === "1"),
  ),
  list: z.optional(
    z.pipe(
      z.string(),
      z.transform((text: string) => text.split(",")),
    ),
  ),
  url: z.optional(z.url()),
  number: z.nullable(z.number()),
  flag: z._default(z.boolean(), false),
  items: z.array(z.object({ id: z.string(), any: z.optional(z.unknown()) })).check(z.maxLength(2)),
  record: z._default(z.record(z.string(), z.nullable(z.int())), {}),
});
const [theirs, ours] = [schemas(zod), schemas(own as unknown as typeof zod)];
const names = Object.keys(theirs) as (keyof typeof theirs)[];

const value = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom<unknown>("", "0", "1", "a,b", "abcde", "https://a.example/x", "a b", "5", "5.5", "-1", "x"),
  fc.jsonValue({ maxDepth: 2 }),
  fc.array(
    fc.record(
      { id: fc.oneof(fc.string(), fc.integer()), any: fc.jsonValue({ maxDepth: 1 }) },
      { requiredKeys: [] },
    ),
    { maxLength: 3 },
  ),
  fc.dictionary(
    fc.string({ maxLength: 3 }),
    fc.oneof(fc.integer(), fc.constant(null), fc.string({ maxLength: 1 })),
  ),
);

describe("the rules of a Worker", () => {
  it.each(names)("judge %s as zod does", (name) => {
    fc.assert(
      fc.property(value, (given) => {
        const input = given === undefined ? {} : { [name]: given };
        const expected = zod.safeParse(zod.object({ [name]: theirs[name] }), input);
        const found = own.safeParse(own.object({ [name]: ours[name] as never }), input);
        expect(found.success).toBe(expected.success);
        if (expected.success) expect(found.data).toEqual(expected.data);
        else
          expect(found.error?.issues.map(({ path }) => path[0])).toContain(expected.error.issues[0]!.path[0]);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("the msgpack of a Worker", () => {
  const codec = new OwnPackr();
  const member = fc.letrec((tie) => ({
    one: fc.oneof(
      { depthSize: "small" },
      fc.constant(null),
      fc.boolean(),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.double({ noNaN: true }).filter((number) => !Number.isInteger(number) || number >= 2 ** 32),
      fc.string({ maxLength: 300, unit: "binary" }),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(tie("one"), { maxLength: 20 }),
    ),
  })).one;

  it("is read by msgpackr as what it was, and is its very bytes", () => {
    fc.assert(
      fc.property(member, (given) => {
        const packed = codec.pack(given);
        expect(packed).toEqual(new Uint8Array(pack(given)));
        expect(codec.unpack(packed)).toEqual(unpack(packed));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [Uint8Array.of(0x92, 0x01)],
    [Uint8Array.of(0x01, 0x01)],
    [Uint8Array.of(0xc1)],
    [new Uint8Array()],
  ])("refuses %j", (bytes) => {
    expect(() => codec.unpack(bytes)).toThrow();
  });
});
