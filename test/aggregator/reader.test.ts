// One's own select on the embedded store and on TimescaleDB: it sees the stable views and nothing else.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readRecord } from "../../aggregator/read/own-select.ts";
import { readerRoles } from "../../aggregator/store/reader.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { readerSuite } from "./reader-suite.ts";

describe("embedded", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-reader-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  readerSuite(() => `embedded:${folder}/postgres`);
});

describeWith(["timescale"], "TimescaleDB", () => readerSuite(() => serviceUrl("timescale")));

describe("a record as PostgreSQL writes it", () => {
  it.each<[string, (string | null)[]]>([
    ["(a,b)", ["a", "b"]],
    ["()", [null]],
    ["(,)", [null, null]],
    ['("",a,)', ["", "a", null]],
    ['("a ""b"" \\\\ ,c","(d)")', ['a "b" \\ ,c', "(d)"]],
    ['("a\nb",",")', ["a\nb", ","]],
  ])("%j is read", (text, values) => {
    expect(readRecord(text)).toEqual(values);
  });
});

describe("a long value", () => {
  it.each(['x,"', "x", "\\"])("of %j is read in one go", (part) => {
    const value = part.repeat(1_000_000);
    const text = `(1,"${value.replaceAll("\\", "\\\\").replaceAll('"', '""')}",)`;
    expect(readRecord(text)).toEqual(["1", value, null]);
  });
});

describe("a role's name", () => {
  it("is the schema's own, however long", () => {
    expect(readerRoles("weir")).toEqual({ reader: "weir_reader", asker: "weir_asker" });
    const long = "w".repeat(62);
    const [one, other] = [readerRoles(`${long}a`), readerRoles(`${long}b`)];
    expect(one.reader).not.toBe(other.reader);
    expect(one.reader.length).toBe(63);
  });
});
