// What an edge uses of zod/mini, in a tenth of its size: Wrangler takes this in its place (`alias` in
// wrangler.jsonc). Settings, keys and policies are checked by the same rules everywhere; a test holds both
// against each other.

type Issue = { path: (string | number)[]; message: string };
type Read = { value: unknown; issues?: undefined } | { issues: Issue[]; value?: undefined };
interface Check {
  /** What is wrong with a value of the right type, if anything is. */
  test(value: never): string | undefined;
}
interface Rule extends Check {
  read(value: unknown): Read;
  check(...checks: Check[]): Rule;
  parse(value: unknown): unknown;
  shape?: Record<string, Rule>;
}

const wrong = (message: string): Read => ({ issues: [{ path: [], message }] });
const typeOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
const unfit = (expected: string, value: unknown): Read =>
  wrong(`Invalid input: expected ${expected}, received ${Number.isNaN(value) ? "NaN" : typeOf(value)}`);

function rule(read: (value: unknown) => Read): Rule {
  const whole: Rule = {
    read,
    parse: (value) => parse(whole, value),
    test: (value: unknown) => read(value).issues?.[0]?.message,
    check: (...checks) =>
      rule((value) => {
        const found = read(value);
        if (found.issues !== undefined) return found;
        const issues = checks.flatMap((one) => {
          const message = one.test(found.value as never);
          return message === undefined ? [] : [{ path: [], message }];
        });
        return issues.length > 0 ? { issues } : found;
      }),
  };
  return whole;
}

const plain = (expected: string, holds = (value: unknown): boolean => typeof value === expected): Rule =>
  rule((value) => (holds(value) ? { value } : unfit(expected, value)));
const check = (holds: (value: never) => boolean, message: string): Check => ({
  test: (value) => (holds(value) ? undefined : message),
});

export const unknown = (): Rule => rule((value) => ({ value }));
export const string = (): Rule => plain("string");
export const boolean = (): Rule => plain("boolean");
export const number = (): Rule => plain("number", Number.isFinite);
export const int = (): Rule => plain("int", Number.isSafeInteger);
export const coerce = {
  number: (): Rule =>
    rule((value) => {
      try {
        return number().read(Number(value));
      } catch {
        return unfit("number", value);
      }
    }),
};
export const url = (): Rule => string().check(check((text: string) => URL.canParse(text), "Invalid URL"));

export const regex = (pattern: RegExp, message = `Invalid string: must match pattern ${pattern}`): Check =>
  check((text: string) => pattern.test(text), message);
export const minLength = (least: number): Check =>
  check(({ length }: string) => length >= least, `Too small: expected at least ${least}`);
export const maxLength = (most: number): Check =>
  check(({ length }: string) => length <= most, `Too big: expected at most ${most}`);
export const minimum = (least: number): Check =>
  check((value: number) => value >= least, `Too small: expected number to be >=${least}`);
export const maximum = (most: number): Check =>
  check((value: number) => value <= most, `Too big: expected number to be <=${most}`);
export const positive = (): Check =>
  check((value: number) => value > 0, "Too small: expected number to be >0");

const oneOf = (values: readonly unknown[]): Rule =>
  rule((value) =>
    values.includes(value) ? { value } : wrong(`Invalid option: expected one of ${values.join("|")}`),
  );

export { oneOf as enum };

export const optional = (inner: Rule): Rule =>
  rule((value) => (value === undefined ? { value } : inner.read(value)));
export const nullable = (inner: Rule): Rule =>
  rule((value) => (value === null ? { value } : inner.read(value)));
export const _default = (inner: Rule, fallback: unknown): Rule =>
  rule((value) => (value === undefined ? { value: fallback } : inner.read(value)));
export const transform = (change: (value: never) => unknown): Rule =>
  rule((value) => ({ value: change(value as never) }));
export function pipe(first: Rule, second: Rule): Rule {
  return rule((value) => {
    const found = first.read(value);
    return found.issues === undefined ? second.read(found.value) : found;
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeOf(value) === "object";

// Members that are not there are left out of what is read, unless they have a default.
function members(entries: readonly (readonly [key: string | number, value: unknown, rule: Rule])[]) {
  const read: [string | number, unknown][] = [];
  const issues: Issue[] = [];
  for (const [key, given, one] of entries) {
    const found = one.read(given);
    if (found.issues === undefined) {
      if (given !== undefined || found.value !== undefined) read.push([key, found.value]);
    } else issues.push(...found.issues.map(({ path, message }) => ({ path: [key, ...path], message })));
  }
  return { read, issues };
}

export function object(shape: Record<string, Rule>): Rule {
  const whole = rule((value) => {
    if (!isRecord(value)) return unfit("object", value);
    const { read, issues } = members(Object.entries(shape).map(([key, one]) => [key, value[key], one]));
    return issues.length > 0 ? { issues } : { value: Object.fromEntries(read) };
  });
  return { ...whole, shape };
}

export const record = (_: Rule, inner: Rule): Rule =>
  rule((value) => {
    if (!isRecord(value)) return unfit("record", value);
    const { read, issues } = members(Object.entries(value).map(([key, given]) => [key, given, inner]));
    return issues.length > 0 ? { issues } : { value: Object.fromEntries(read) };
  });

export const array = (inner: Rule): Rule =>
  rule((value) => {
    if (!Array.isArray(value)) return unfit("array", value);
    const { read, issues } = members(value.map((given, at) => [at, given, inner]));
    return issues.length > 0 ? { issues } : { value: read.map(([, one]) => one) };
  });

/** Like zod's own: the value as the rule reads it, or every issue with its place. */
export function safeParse(one: Rule, value: unknown) {
  const { issues, value: data } = one.read(value);
  return issues === undefined ? { success: true, data } : { success: false, error: { issues } };
}

export function parse(one: Rule, value: unknown): unknown {
  const { issues, value: data } = one.read(value);
  if (issues !== undefined) throw new Error(issues.map(({ message }) => message).join("; "));
  return data;
}
