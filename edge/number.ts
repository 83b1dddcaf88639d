// Whether a number as written is the number a double holds, and how a place is written in a pointer.

/**
 * True when the number written in JSON's way comes out of a double as the same decimal value. So `0.1`
 * and `1e20` survive; `9007199254740993`, `0.1234567890123456789` and `1e400` do not.
 */
export function survivesDouble(written: string): boolean {
  const value = Number(written);
  if (!Number.isFinite(value)) return false;
  return decimalForm(written) === decimalForm(String(value));
}

// Significant digits and the exponent of the last of them. Trimmed by loops: a pattern that looks for
// zeros at the end takes quadratic time on a long run of zeros before another digit.
function decimalForm(written: string): string {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(written) ?? [];
  const digits = whole + fraction;
  let start = 0;
  while (start < digits.length && digits.charCodeAt(start) === 0x30) start += 1;
  if (start === digits.length) return "0";
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 0x30) end -= 1;
  return `${sign}${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** A finite number as a plain decimal without exponent, as columns of type numeric read it. */
export function plainDecimal(value: number): string {
  const text = String(Object.is(value, -0) ? 0 : value);
  const found = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (found === null) return text;
  const [, sign, first, fraction = "", exponent] = found;
  const digits = `${first}${fraction}`;
  const point = 1 + Number(exponent);
  return point > 0 ? `${sign}${digits.padEnd(point, "0")}` : `${sign}0.${"0".repeat(-point)}${digits}`;
}

/** One reference token of a JSON pointer (RFC 6901). */
export const escapePointer = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");
