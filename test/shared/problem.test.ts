// The one mapping from what went wrong to what the client is told.
import { describe, expect, it } from "vitest";
import {
  type ProblemCode,
  problemResponse,
  problems,
  refusalCodes,
  toProblem,
  WeirError,
} from "../../shared/problem.ts";

const codes = Object.keys(problems) as ProblemCode[];

describe("a problem", () => {
  it.each(codes)("%s has its status, title and type, and says whether to try again", (code) => {
    const [status, title, retryable] = problems[code];
    expect(toProblem(new WeirError(code, "why"), "r-1")).toEqual({
      type: `tag:weir,2026:${code}`,
      title,
      status,
      detail: "why",
      instance: "r-1",
      code,
      retryable,
    });
  });

  it("tells nothing of an error that is not ours", () => {
    const problem = toProblem(new Error("password=hunter2 at /srv/x.ts"));
    expect(problem).toMatchObject({ code: "internal", status: 500, detail: problems.internal[1] });
    expect(JSON.stringify(problem)).not.toContain("hunter2");
    expect(problem).not.toHaveProperty("instance");
  });

  it.each(codes)("%s is retryable exactly where a later try may end otherwise", (code) => {
    const [status, , retryable] = problems[code];
    // A stale signature is made anew at every attempt, which is why its 401 may be tried again.
    expect(retryable).toBe(status === 429 || status >= 500 || code === "signature_expired");
  });
});

describe("the answer", () => {
  it.each(codes)("%s carries Retry-After where it is 429 or 503, and nowhere else", (code) => {
    const response = problemResponse(new WeirError(code, "why"), "r-1");
    const [status] = problems[code];
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("x-request-id")).toBe("r-1");
    expect(response.headers.get("retry-after")).toBe(status === 429 || status === 503 ? "1" : null);
  });

  it("rounds Retry-After up to whole seconds", () => {
    const response = problemResponse(new WeirError("overloaded", "why", { retryAfterMs: 1_001 }));
    expect(response.headers.get("retry-after")).toBe("2");
  });
});

it("has one name for each refusal", () => {
  expect(new Set([...refusalCodes, ...codes]).size).toBe(refusalCodes.length + codes.length);
});
