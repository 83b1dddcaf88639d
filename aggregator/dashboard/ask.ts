// Asks the API from the page: the token stays in the tab, a refusal becomes an error with its words.
import type { Answer } from "../read/answer.ts";

const tokenName = "weir-token";
/** Longer than the API itself gives a question. */
const answerMs = 15_000;

/** The parameters of a question, by name. */
export type Query = Readonly<Record<string, string>>;

/** What the API refused, as problem+json told it; `status` 0 where nothing answered. */
export class Refusal extends Error {
  readonly status: number;
  readonly title: string;
  readonly code: string;
  constructor(status: number, title: string, detail: string, code = "") {
    super(detail);
    this.status = status;
    this.title = title;
    this.code = code;
  }
}

export function keepToken(token: string): void {
  sessionStorage.setItem(tokenName, token);
}

export const hasToken = (): boolean => sessionStorage.getItem(tokenName) !== null;

/** Asks one question; rejects with a Refusal, or an AbortError where a newer question replaced it. */
export async function ask(
  question: string,
  query: Query,
  signal?: AbortSignal,
  waitMs?: number,
): Promise<Answer> {
  const response = await send(question, query, signal, waitMs);
  const answer = (await response.json()) as Answer;
  // Where nothing changed the browser gives the answer it had, under the new one's headers.
  const asOf = response.headers.get("weir-as-of");
  return asOf === null ? answer : { ...answer, meta: { ...answer.meta, as_of: asOf } };
}

/** The same answer as CSV, for a download: a link could not carry the token. */
export async function askCsv(question: string, query: Query): Promise<Blob> {
  return (await send(question, { ...query, format: "csv" })).blob();
}

const send = (question: string, query: Query, signal?: AbortSignal, waitMs?: number): Promise<Response> =>
  request(`${question}?${new URLSearchParams(query)}`, {}, signal, waitMs);

/** Sends a request to a path below /v1; rejects with a Refusal, or an AbortError where `signal` ended it. */
export async function request(
  path: string,
  init: RequestInit = {},
  signal?: AbortSignal,
  waitMs = answerMs,
): Promise<Response> {
  const token = sessionStorage.getItem(tokenName);
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const timeout = AbortSignal.timeout(waitMs);
  let response: Response;
  try {
    response = await fetch(`/v1/${path}`, {
      ...init,
      headers,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, "The aggregator does not answer", "Trying again every second.");
  }
  if (response.ok) return response;
  const problem: unknown = await response.json().catch(() => ({}));
  const { title, detail, code } = problem as { title?: string; detail?: string; code?: string };
  throw new Refusal(response.status, title ?? `The answer was ${response.status}`, detail ?? "", code);
}
