// Who was active when, out of the model's bits: sets of people by bucket, for questions that count people.
import type { TransactionSql } from "postgres";
import type { Buckets } from "./buckets.ts";
import { canModel } from "./modelled.ts";
import type { Range } from "./range.ts";
import type { EventsAsked, Fragment } from "./within.ts";

export interface ActiveAsked extends EventsAsked {
  tz: string;
}

const dayMs = 86_400_000;
const halfHourMs = 1_800_000;

/**
 * Whether the bits can answer: the span is made of whole half hours, or of whole UTC days where only some
 * types are asked for.
 */
export function canUseBits(asked: ActiveAsked, range: Range): boolean {
  const step = asked.types === undefined ? halfHourMs : dayMs;
  return canModel(asked, range) && range.from % step === 0 && range.to % step === 0;
}

/**
 * Rows (project_id, block, place, bits) of the span: the people of each place of `buckets`, 0 being all from
 * `readFrom` to the span. Undefined where the buckets are not made of what the bits are kept by.
 */
export function activeSets(
  tx: TransactionSql,
  asked: ActiveAsked,
  range: Range,
  buckets: Buckets,
  readFrom: number = range.from,
): Fragment | undefined {
  const isOnDays = buckets.grain === "day" && range.from % dayMs === 0 && range.to % dayMs === 0;
  if (!isOnDays && (buckets.grain === undefined || asked.types !== undefined)) return undefined;
  return tx`
    select project_id, block, bit_or(bits) as bits,
      case
        when event_time >= to_timestamp(${range.from}::float8 / 1000) then ${buckets.place}
        else 0
      end as place
    from (
      select project_id, block, bits, bucket as event_time
      from active_bits
      where grain = ${isOnDays ? "day" : "half_hour"}
        and type = any(${asked.types === undefined ? [""] : [...asked.types]}::text[])
        ${asked.users === "identified" ? tx`and is_identified` : tx``}
        and bucket >= to_timestamp(${readFrom}::float8 / 1000)
        and bucket < to_timestamp(${range.to}::float8 / 1000)
        ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
    ) as kept
    group by project_id, block, place`;
}
