// What a failed send says about each partition in it: one send carries several, and some may be stored.
import type { PublishFailure } from "./log.ts";

interface ProduceResponse {
  responses?: { partitionResponses?: { index: number; errorCode: number }[] }[];
}

// Codes of the Kafka protocol (https://kafka.apache.org/protocol#protocol_error_codes).
const stored = 0;
const neverTaken: readonly number[] = [
  10, // MESSAGE_TOO_LARGE
  18, // RECORD_LIST_TOO_LARGE
  29, // TOPIC_AUTHORIZATION_FAILED
  31, // CLUSTER_AUTHORIZATION_FAILED
  87, // INVALID_RECORD
];

/**
 * Reads an error of the producing client, with all attempts it holds. A partition is stored if any
 * attempt says so; it is refused if the broker named a lasting reason; otherwise nothing is known,
 * since an earlier attempt may have been taken and its answer lost.
 */
export function readOutcomes(error: unknown): (partition: number) => "stored" | PublishFailure {
  const codes = new Map<number, Set<number>>();
  const general = new Set<number>();
  collect(error, codes, general, 0);
  return (partition) => {
    const found = codes.get(partition) ?? general;
    if (found.has(stored)) return "stored";
    return neverTaken.some((code) => found.has(code) || general.has(code)) ? "refused" : "unknown";
  };
}

// Answers are read by partition; what failed before (metadata, the producer's id) holds for all.
function collect(error: unknown, codes: Map<number, Set<number>>, general: Set<number>, depth: number): void {
  if (!(error instanceof Error) || depth > 5) return;
  const { response, apiCode } = error as { response?: ProduceResponse; apiCode?: number };
  const partitions = response?.responses?.flatMap((topic) => topic.partitionResponses ?? []);
  if (partitions !== undefined && partitions.length > 0) {
    for (const { index, errorCode } of partitions) {
      codes.set(index, (codes.get(index) ?? new Set()).add(errorCode));
    }
    return;
  }
  if (apiCode !== undefined) general.add(apiCode);
  if (error instanceof AggregateError) {
    for (const inner of error.errors) collect(inner, codes, general, depth + 1);
  }
  collect(error.cause, codes, general, depth + 1);
}
