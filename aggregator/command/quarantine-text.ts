// What the quarantine's commands say to a person.
import type { DiscardAnswer } from "../quarantine/discard.ts";
import type { RetryAnswer } from "../quarantine/retry.ts";
import type { QuarantinedEvent, QuarantinePage, QuarantineSum, RecordSum } from "../read/quarantine-row.ts";

export function listText(
  page: QuarantinePage,
  sums: readonly QuarantineSum[],
  records: readonly RecordSum[],
): string {
  const whole = records.map((one) => `${one.records} whole records kept, ${one.reason} ${one.status}`);
  if (sums.length === 0 && page.rows.length === 0) return ["nothing is in quarantine", ...whole].join("\n");
  const rows = page.rows.map(
    (row) =>
      `${row.id}  ${row.received_at}  ${row.project}  ${row.status}  ${row.reason} ${plain(row.pointer)}  ${plain(row.detail)}`,
  );
  const counts = sums.map(({ reason, status, events }) => `${events} ${reason} ${status}`);
  const more = page.next === null ? [] : [`more: --cursor ${page.next}`];
  return [...rows, ...more, counts.join(", "), ...whole].filter((line) => line !== "").join("\n");
}

export function showText(event: QuarantinedEvent): string {
  const { history } = event;
  return [
    `${event.id}  ${event.reason} ${plain(event.pointer)}  ${event.status}`,
    `${plain(event.detail)}`,
    ...(event.batch_id === null
      ? [`kept whole since ${event.quarantined_at}, ${event.bytes} bytes`]
      : [
          `refused by the ${event.station}, Weir ${event.weir_version || "of a version unknown"}; project ${event.project}`,
          `received ${event.received_at} as ${event.batch_id}/${event.index}, ${event.bytes} bytes`,
        ]),
    ...history.map(({ at, action, actor, outcome, why }) => {
      const found = outcome === action ? "" : outcome;
      return plain([at, action, actor, found, why].filter((part) => part !== "").join("  "));
    }),
    plain(event.original ?? `base64 ${shortened(event.original_base64)}`),
  ].join("\n");
}

export function retryText(answer: RetryAnswer): string {
  const { sent, stored, duplicate, quarantined, refused_again, pending, needs_as_new, not_open } = answer;
  const lines = [
    `sent ${sent} = stored ${stored} + duplicate ${duplicate} + quarantined ${quarantined} + refused again ${refused_again} + pending ${pending}`,
  ];
  for (const { id, outcome, detail } of answer.rows.slice(0, 20)) {
    if (outcome !== "stored" && outcome !== "duplicate") lines.push(`${id}  ${outcome}  ${plain(detail)}`);
  }
  if (needs_as_new > 0) {
    lines.push(
      `${needs_as_new} conflicts stay: another content is stored under their identity; --as-new stores them beside it`,
    );
  }
  if (not_open.length > 0) lines.push(`not open, or not there: ${not_open.slice(0, 20).join(", ")}`);
  if (answer.error !== null)
    lines.push(`stopped: ${answer.error}; what was not sent is taken up by the next retry`);
  return lines.join("\n");
}

export function discardText({ discarded, records, not_open }: DiscardAnswer): string {
  const left = not_open.length > 0 ? `\nnot open, or not there: ${not_open.slice(0, 20).join(", ")}` : "";
  const whole = records > 0 ? ` events and ${records} whole records` : "";
  return `discarded ${discarded}${whole}${left}`;
}

// A record may be of megabytes; --json has all of it.
const shortened = (text: string): string =>
  text.length <= shownMax
    ? text
    : `${text.slice(0, shownMax)}… (${text.length} characters; --json shows all)`;
const shownMax = 4_000;

// A client's text must not steer the terminal it is shown on.
export const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\ufffd");
