// What an alert rule may say: one kind each, with its figure, its bounds and how long it must hold.
import { z } from "zod";
import { identifier } from "../read/parameters.ts";

const secondMs = 1_000;
const unitMs = { s: secondMs, m: 60 * secondMs, h: 3_600 * secondMs, d: 86_400 * secondMs } as const;

/** People are kept by half hours, so longer spans are made of those. */
export const halfHourMs: number = 30 * unitMs.m;
/** Up to here a span ends now and is counted from the events; a longer one ends with the last whole half hour. */
export const liveWindowMsMax: number = unitMs.h;
/** Longer spans are a question for a person. */
const windowMsMax = 31 * unitMs.d;

/** A length of time such as 90s, 15m, 2h or 7d, in ms. */
const duration = (leastMs: number, mostMs: number) =>
  z.string().transform((text, context): number => {
    const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
    const ms = Number(count) * unitMs[(unit ?? "s") as keyof typeof unitMs];
    if (ms >= leastMs && ms <= mostMs) return ms;
    const bounds = `${durationText(leastMs)} to ${durationText(mostMs)}`;
    context.addIssue({ code: "custom", message: `must be a length of time such as 15m or 2h, ${bounds}` });
    return z.NEVER;
  });

/** A length of time as one writes it in a rule. */
export function durationText(ms: number): string {
  for (const [unit, length] of Object.entries(unitMs).reverse()) {
    if (ms >= length && ms % length === 0) return `${ms / length}${unit}`;
  }
  return `${ms / secondMs}s`;
}

const shared = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, "must be lower-case letters, digits, _, . and -, 64 at most"),
  summary: z.string().min(1).max(300).optional(),
  severity: z.enum(["page", "look"]).default("look"),
  project: identifier.optional(),
  for: duration(0, unitMs.d).default(0),
  resolve_after: duration(0, unitMs.d).default(2 * unitMs.m),
};

const figures = ["events", "active_users", "revenue", "conversions", "sessions"] as const;
const types = z.array(identifier).min(1).max(100).optional();
const measured = {
  figure: z.enum(figures),
  types,
  users: z.enum(["all", "identified"]).default("all"),
  currency: z.string().min(1).max(64).optional(),
};

/** A condition between fields. It is looked at whatever else is wrong, so that all faults are told at once. */
const holds = (path: string, message: string) => ({ path: [path], message, when: () => true });

/** Money of different currencies does not add up. */
const isMoney = ({ figure, currency }: { figure?: string; currency?: string | undefined }) =>
  figure !== "revenue" || currency !== undefined;
const isMoneyAlone = ({ figure, currency }: { figure?: string; currency?: string | undefined }) =>
  figure === "revenue" || currency === undefined;
const isHalfHours = (window: unknown): boolean => typeof window !== "number" || window % halfHourMs === 0;

const threshold = z
  .strictObject({
    ...shared,
    ...measured,
    kind: z.literal("threshold"),
    window: duration(unitMs.m, windowMsMax),
    above: z.number().optional(),
    below: z.number().optional(),
  })
  .refine(isMoney, holds("currency", "is needed for revenue"))
  .refine(isMoneyAlone, holds("currency", "goes with revenue alone"))
  .refine(
    ({ above, below }) => (above === undefined) !== (below === undefined),
    holds("above", "or below: one of the two"),
  )
  .refine(
    ({ window }) => window <= liveWindowMsMax || isHalfHours(window),
    holds("window", "over 1h must be whole half hours"),
  )
  .refine(
    ({ figure, window }) => figure !== "sessions" || isHalfHours(window),
    holds("window", "of sessions must be whole half hours"),
  );

const change = z
  .strictObject({
    ...shared,
    ...measured,
    kind: z.literal("change"),
    window: duration(halfHourMs, unitMs.d).default(unitMs.h),
    weeks: z.int().min(1).max(12).default(4),
    tz: z.string().refine(isZone, "must be an IANA time zone such as Europe/Berlin").default("UTC"),
    up: z.number().positive().optional(),
    down: z.number().positive().max(100).optional(),
    least: z.number().positive().default(100),
  })
  .refine(isMoney, holds("currency", "is needed for revenue"))
  .refine(isMoneyAlone, holds("currency", "goes with revenue alone"))
  .refine(
    ({ up, down }) => up !== undefined || down !== undefined,
    holds("up", "or down, or both, in percent"),
  )
  .refine(({ window }) => isHalfHours(window), holds("window", "must be whole half hours"));

const noData = z.strictObject({
  ...shared,
  kind: z.literal("no_data"),
  types,
  after: duration(unitMs.m, 7 * unitMs.d),
  steady: z.boolean().default(false),
});

const completeness = z
  .strictObject({
    ...shared,
    kind: z.literal("completeness"),
    window: duration(unitMs.m, windowMsMax).default(unitMs.d),
    gap_above: z.number().min(0).optional(),
    percent_above: z.number().min(0).max(100).optional(),
    least: z.int().min(1).default(1_000),
  })
  .refine(
    ({ gap_above, percent_above }) => gap_above !== undefined || percent_above !== undefined,
    holds("gap_above", "or percent_above, or both"),
  );

const { project: _, ...unscoped } = shared;
const ledger = z.strictObject({ ...unscoped, kind: z.literal("ledger") });

export const ruleSchema = z.discriminatedUnion("kind", [threshold, change, noData, completeness, ledger]);

export type Rule = z.output<typeof ruleSchema>;
export type RuleOf<Kind extends Rule["kind"]> = Extract<Rule, { kind: Kind }>;
export type FigureRule = RuleOf<"threshold"> | RuleOf<"change">;

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/.test(name);
  } catch {
    return false;
  }
}
