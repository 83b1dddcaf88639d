// Asks the API from the page: the token stays in the tab, a refusal becomes an error with its words.
import type { Answer } from "../read/answer.ts";

const keptName = "weir-asker";
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

/** Whoever is signed in, as /v1/me told. */
export interface Asker {
  token: string;
  role: string;
  name: string | null;
  project: string | null;
}

/** Who has signed in; undefined where nobody has, or nobody has to. */
export function signedIn(): Asker | undefined {
  const kept = sessionStorage.getItem(keptName);
  return kept === null ? undefined : (JSON.parse(kept) as Asker);
}

/** Keeps a token once the API has said whose it is; rejects with a Refusal where it is nobody's. */
export async function signIn(token: string): Promise<void> {
  // A header holds ASCII alone, and no token holds anything else.
  const authorization = `Bearer ${token.replace(/[^\x21-\x7e]/g, "?")}`;
  const { data } = await (await request("me", { headers: { authorization } })).json();
  sessionStorage.setItem(keptName, JSON.stringify({ ...data, token }));
}

export const signOut = (): void => sessionStorage.removeItem(keptName);

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
  const token = signedIn()?.token;
  const headers = new Headers(init.headers);
  if (token !== undefined && !headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
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
  // Asked before somebody signed in, and answered after: that is no refusal of theirs.
  if (response.status === 401 && token !== signedIn()?.token) return request(path, init, signal, waitMs);
  const { title, detail, code } = problem as { title?: string; detail?: string; code?: string };
  const named = response.status === 403 ? "Not allowed" : (title ?? `The answer was ${response.status}`);
  throw new Refusal(response.status, named, detail ?? "", code);
}
