// Answers as lines of CSV, and what of their questions is described as required.
import { describe, expect, it } from "vitest";
import { describeApi } from "../../../aggregator/api/openapi.ts";
import { toCsv } from "../../../aggregator/read/csv.ts";
import type { AnswerRow } from "../../../aggregator/read/question.ts";

const cases: [title: string, names: string[], rows: AnswerRow[], text: string][] = [
  ["has a header without rows", ["cohort", "retained"], [], "cohort,retained\r\n"],
  [
    "gives a list as many columns as the longest has numbers",
    ["cohort", "size", "retained", "of"],
    [
      { cohort: "2026-01-01", size: 3, retained: [3, 0, 1], of: null },
      { cohort: "2026-02-01", size: 2, retained: [2, 2], of: "=x" },
      { cohort: "2026-03-01", size: 1, retained: [1], of: 'a "b"' },
    ],
    [
      "cohort,size,retained_0,retained_1,retained_2,of",
      "2026-01-01,3,3,0,1,",
      "2026-02-01,2,2,2,,'=x",
      '2026-03-01,1,1,,,"a ""b"""',
      "",
    ].join("\r\n"),
  ],
  [
    "leaves negative numbers as they are, also where they are text",
    ["revenue", "refund", "note"],
    [
      { revenue: -5.5, refund: "-12.50", note: "-1+cmd" },
      { revenue: 1, refund: "-3", note: "-" },
    ],
    ["revenue,refund,note", "-5.5,-12.50,'-1+cmd", "1,-3,'-", ""].join("\r\n"),
  ],
];

describe("an answer as CSV", () => {
  it.each(cases)("%s", (_, names, rows, text) => {
    expect(toCsv(names, rows)).toBe(text);
  });
});

describe("the API's description", () => {
  interface Described {
    get: { parameters: { name: string; required: boolean }[] };
  }
  const paths = describeApi("0", false)["paths"] as Record<string, Described>;
  it("names what a question must have: the steps of a funnel, and whose timeline", () => {
    const required = Object.entries(paths).flatMap(([path, { get }]) =>
      (get?.parameters ?? []).filter((one) => one.required).map(({ name }) => `${path} ${name}`),
    );
    expect(required.filter((one) => !one.startsWith("/v1/quarantine"))).toEqual([
      "/v1/funnel steps",
      "/v1/timeline person",
    ]);
  });
});
