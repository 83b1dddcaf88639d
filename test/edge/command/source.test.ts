// How a file becomes events: every format, cut anywhere, broken in every way that must not hurt the rest.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { splitCsv } from "../../../edge/command/source/csv.ts";
import { parseMap } from "../../../edge/command/source/csv-map.ts";
import { splitJson } from "../../../edge/command/source/json.ts";
import { splitNdjson } from "../../../edge/command/source/ndjson.ts";
import { openSource, type SourceOptions } from "../../../edge/command/source/read-source.ts";
import type { SourceEvent, Splitter } from "../../../edge/command/source/source-event.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const textOf = (event: SourceEvent): string =>
  event.refusal === undefined
    ? decoder.decode(event.bytes)
    : `${event.refusal.code}${event.refusal.pointer}: ${decoder.decode(event.bytes)}`;
const csv = (map = "") => splitCsv({ delimiter: ",", map: parseMap(map), zoned: (time) => time });

function split(splitter: Splitter, text: string, chunkBytes: number): string[] {
  const bytes = encoder.encode(text);
  const events: SourceEvent[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    events.push(...splitter.push(bytes.subarray(at, at + chunkBytes)));
  return [...events, ...splitter.end()].map(textOf);
}

const cases: [name: string, splitter: () => Splitter, text: string, events: string[]][] = [
  ["lines", splitNdjson, '{"a":1}\n{"b":"é"}\n', ['{"a":1}', '{"b":"é"}']],
  ["lines without a last break, with empty ones between", splitNdjson, "1\r\n\n  \n2", ["1\r", "2"]],
  ["an array", splitJson, '[{"a":[1,2]}, {"b":"],\\"["}\n,3]', ['{"a":[1,2]}', ' {"b":"],\\"["}\n', "3"]],
  ["an empty array", splitJson, " [ ] ", []],
  [
    "an object's events",
    splitJson,
    '{"x":{"events":[9]},"y":"events","events":[{"a":1},{}],"z":[7]}',
    ['{"a":1}', "{}"],
  ],
  [
    "an array with one broken element",
    splitJson,
    '[{"a":1},{"b":tru},"x]"]',
    ['{"a":1}', '{"b":tru}', '"x]"'],
  ],
  ["a table", csv, 'type,payload.a\nx,"1,5"\ny,\n', ['{"type":"x","payload":{"a":"1,5"}}', '{"type":"y"}']],
  [
    "quotes, doubled and with breaks inside",
    csv,
    'type\r\n"a ""b""\nc"\r\nd"e\r\n',
    ['{"type":"a \\"b\\"\\nc"}', '{"type":"d\\"e"}'],
  ],
  ["a row of another width", csv, "type,a\nx\ny,1\n", ["event_malformed: x", '{"type":"y","a":"1"}']],
  ["a quote never closed", csv, 'type,a\nx,"1\ny,2\n', ['event_malformed: x,"1', '{"type":"y","a":"2"}']],
  [
    "text after a closing quote",
    csv,
    'type,a\n"x"y,1\nz,2\n',
    ['event_malformed: "x"y,1', '{"type":"z","a":"2"}'],
  ],
];

describe("a file's bytes", () => {
  for (const [name, splitter, text, events] of cases)
    it(`are cut into events wherever a chunk ends: ${name}`, () => {
      for (const chunkBytes of [1, 2, 3, 7, 1000])
        expect(split(splitter(), text, chunkBytes)).toEqual(events);
    });

  it("give a refused event with its true length where a line is too long, and the lines around it", () => {
    const long = "x".repeat(3 * 1024 * 1024);
    const events: SourceEvent[] = [];
    const splitter = splitNdjson();
    for (const piece of ["1\n", long, "\n2\n"]) events.push(...splitter.push(encoder.encode(piece)));
    expect(events.map((event) => event.bytes.length)).toEqual([1, 1024 * 1024, 1]);
    expect(events[1]!.refusal).toMatchObject({ code: "event_too_large" });
    expect(events[1]!.refusal!.detail).toContain(String(long.length));
  });

  it("are read again from the next line on where a quote swallows more than a megabyte", () => {
    const rows = Array.from({ length: 200_000 }, (_, row) => `row-${row},1`);
    const events = split(csv(), `type,a\nx,"1\n${rows.join("\n")}\n`, 256 * 1024);
    expect(events.length).toBe(200_001);
    expect(events[0]).toBe('event_malformed: x,"1');
    expect(events.at(-1)).toBe('{"type":"row-199999","a":"1"}');
  });

  const damages: [text: string, told: RegExp][] = [
    ['[{"a":1},{"b"', /ends before/],
    ['{"a":1}\n{"b":2}\n', /NDJSON/],
    ['{"a":[1]}', /no array/],
    ["", /empty/],
    ["hello", /neither/],
  ];
  for (const [text, told] of damages)
    it(`are told to be damaged: ${JSON.stringify(text)}`, () => {
      expect(() => split(splitJson(), text, 4)).toThrow(told);
    });
});

describe("a mapped column", () => {
  const header = 'Id,Kind,"Unit, price",Sure,Empty\n';
  const rows: [map: string, row: string, event: string][] = [
    ["event_id=Id,type=Kind", "1,buy,2,true,", '{"event_id":"1","type":"buy"}'],
    ["type='purchase',seq=Id", "7,buy,2,true,", '{"type":"purchase","seq":7}'],
    [
      'type=Kind,payload.price="Unit, price":number,payload.sure=Sure:boolean,payload.no=Empty',
      "1,buy,2.50,TRUE,",
      '{"type":"buy","payload":{"price":2.50,"sure":true}}',
    ],
    [
      'type=Kind,payload.price="Unit, price":number',
      "1,buy,two,true,",
      "invalid_type/payload/price: 1,buy,two,true,",
    ],
    [
      "type=Kind,context.a.b=Id,context.a.c=Sure",
      "1,x,,y,",
      '{"type":"x","context":{"a":{"b":"1","c":"y"}}}',
    ],
  ];
  for (const [map, row, event] of rows)
    it(`${map} makes ${event}`, () => {
      expect(split(csv(map), `${header}${row}\n`, 1000)).toEqual([event]);
    });

  const misuses: [map: string, told: RegExp][] = [
    ["type=Nothing", /no column Nothing.*Kind/],
    ["type=Kind,type=Id", /twice/],
    ["a=Id,a.b=Kind", /under a field/],
  ];
  for (const [map, told] of misuses)
    it(`${map} is misuse`, () => {
      expect(() => split(csv(map), `${header}1,2,3,4,5\n`, 1000)).toThrow(told);
    });
  for (const map of ["type", "type=a:date", "=a", "type='a"])
    it(`${map} cannot be read`, () => {
      expect(() => parseMap(map)).toThrow(/--map/);
    });
});

describe("a file", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "weir-source-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function read(
    name: string,
    bytes: string | Uint8Array,
    options: Partial<SourceOptions> = {},
  ): Promise<string[]> {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    const source = await openSource(file, { map: [], ...options });
    const events: string[] = [];
    for await (const some of source.events()) events.push(...some.map(textOf));
    return events;
  }

  it("is unpacked where its bytes say gzip, whatever its name, in one member or several", async () => {
    const packed = Buffer.concat([gzipSync("1\n2"), gzipSync("3\n4")]);
    expect(await read("a.ndjson", packed)).toEqual(["1", "23", "4"]);
    expect(await read("a.json.gz", gzipSync("[1,2]"))).toEqual(["1", "2"]);
  });
  it("that is cut off is told so after what could be read", async () => {
    const whole = gzipSync(Array.from({ length: 5000 }, () => `${Math.random()}\n`).join(""));
    await expect(read("cut.ndjson.gz", whole.subarray(0, whole.length - 20))).rejects.toThrow(/cut off/);
  });
  it("loses its byte order mark", async () => {
    expect(await read("mark.csv", "\ufefftype\nx\n")).toEqual(['{"type":"x"}']);
  });
  it("is parted by tabs where it is called .tsv, and by what is said", async () => {
    expect(await read("a.tsv", "type\ta\nx\t1\n")).toEqual(['{"type":"x","a":"1"}']);
    expect(await read("b.csv", "type;a\nx;1\n", { delimiter: ";" })).toEqual(['{"type":"x","a":"1"}']);
  });
  it("without a telling name needs a format", async () => {
    await expect(read("events.txt", "1")).rejects.toThrow(/--format/);
    expect(await read("events.txt", "1", { format: "ndjson" })).toEqual(["1"]);
  });
  it("that is missing is misuse", async () => {
    await expect(openSource(join(folder, "none.json"), { map: [] })).rejects.toThrow(/cannot be read/);
  });

  const london: [local: string, utc: string][] = [
    ["2011-01-01T12:00:00", "2011-01-01T12:00:00Z"],
    ["2011-07-01 12:00:00.25", "2011-07-01T11:00:00.25Z"],
    ["2011-07-01 12:00", "2011-07-01T11:00:00Z"],
    // Missing, from 01:00 to 02:00; then twice, from 01:00 to 02:00.
    ["2011-03-27T01:30:00", "2011-03-27T01:30:00Z"],
    ["2011-10-30T01:30:00", "2011-10-30T00:30:00Z"],
    ["2011-07-01T12:00:00+05:00", "2011-07-01T12:00:00+05:00"],
    ["2011-02-30T12:00:00", "2011-02-30T12:00:00"],
  ];
  for (const [local, utc] of london)
    it(`whose zone is Europe/London reads ${local} as ${utc}, and changes nothing else`, async () => {
      const event = (time: string): string =>
        `{"n":1.50,"payload":{"timestamp":"${local}"},"timestamp" : "${time}","x":["timestamp","${local}"]}`;
      expect(await read("z.ndjson", `${event(local)}\n`, { zone: "Europe/London" })).toEqual([event(utc)]);
      expect(await read("z.csv", `timestamp\n${local}\n`, { zone: "Europe/London" })).toEqual([
        `{"timestamp":"${utc}"}`,
      ]);
    });
  it("in a zone nobody knows is misuse", async () => {
    await expect(read("z.csv", "timestamp\n1\n", { zone: "Mars/Base" })).rejects.toThrow(/no zone/);
  });
});
