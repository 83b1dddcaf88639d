// An event's money: the payload's revenue as a plain decimal, and its currency.
import { EventFault } from "./fault.ts";
import { plainDecimal } from "./number.ts";
import type { NativeEvent } from "./schema.ts";

/** Absent is null. `revenue` is a plain decimal without exponent; `currency` three upper-case letters. */
export interface Money {
  revenue: string | null;
  currency: string | null;
}

const none: Money = { revenue: null, currency: null };
// 64 digits are more than any sum of money, and far inside what a numeric column takes.
const decimal = /^[+-]?\d{1,64}(?:\.\d{1,64})?$/;

/** Reads it from payload and context. A revenue that is no number is refused: it would be missed later. */
export function moneyOf(event: NativeEvent): Money | EventFault {
  const payload = event.payload;
  const currency = currencyOf(payload?.["currency"]) ?? currencyOf(event.context?.["currency"]);
  const revenue = payload?.["revenue"];
  if (revenue === undefined || revenue === null)
    return currency === null ? none : { revenue: null, currency };
  if (typeof revenue === "number") return { revenue: plainDecimal(revenue), currency };
  if (typeof revenue !== "string") {
    return new EventFault("invalid_type", "/payload/revenue", "It must be a number or a decimal as text.");
  }
  if (!decimal.test(revenue)) {
    return new EventFault("invalid_value", "/payload/revenue", "The text is no plain decimal.");
  }
  return { revenue: revenue.startsWith("+") ? revenue.slice(1) : revenue, currency };
}

function currencyOf(value: unknown): string | null {
  return typeof value === "string" && /^[A-Za-z]{3}$/.test(value) ? value.toUpperCase() : null;
}
