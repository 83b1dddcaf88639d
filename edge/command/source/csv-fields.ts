// One CSV record as its fields.

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The fields of a record, quotes taken off, or in words why there are none. */
export function readFields(record: Uint8Array, delimiter: string): string[] | string {
  let text: string;
  try {
    text = decoder.decode(record);
  } catch {
    return "the row is not UTF-8";
  }
  if (text.endsWith("\r")) text = text.slice(0, -1);
  return text.includes('"') ? quotedFields(text, delimiter) : text.split(delimiter);
}

function quotedFields(text: string, delimiter: string): string[] | string {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const [field, after] = quotedField(text, at + 1);
      if (after < 0) return "a quote opened in this row is never closed";
      if (after < text.length && text[after] !== delimiter) return "text follows a closing quote";
      fields.push(field);
      at = after;
    } else {
      const end = text.indexOf(delimiter, at);
      fields.push(end < 0 ? text.slice(at) : text.slice(at, end));
      at = end < 0 ? text.length : end;
    }
    if (at >= text.length) return fields;
    at += 1;
  }
}

// The field from `from` to its closing quote, and where it ends; −1 where it does not.
function quotedField(text: string, from: number): [string, number] {
  let field = "";
  for (let at = from; ; ) {
    const end = text.indexOf('"', at);
    if (end < 0) return [field, -1];
    field += text.slice(at, end);
    if (text[end + 1] !== '"') return [field, end + 1];
    field += '"';
    at = end + 2;
  }
}
