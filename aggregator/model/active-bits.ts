// Who was active when: people as bits, so that distinct counts and retention are a few operations on rows.
import type { Model } from "./model.ts";

/** People in one row; the width of the column `bits`. */
export const blockSize = 8192;

export const activeBits: Model = {
  name: "active_bits",

  // Many events of a person in a bucket are one bit; what is set already is not written again.
  async fold(tx) {
    await tx`
      with seen as (
        select distinct project_id, type, is_identified, number, date_bin('30 minutes', event_time, 'epoch') as half_hour
        from weir_fresh
        where number is not null
      ),
      days as (
        select distinct project_id, type, is_identified, number, date_trunc('day', half_hour, 'UTC') as bucket from seen
      ),
      slots as (
        select project_id, 'day' as grain, type, is_identified, bucket, number from days
        union
        select project_id, 'day', '', is_identified, bucket, number from days
        union
        select project_id, 'half_hour', '', is_identified, half_hour, number from seen
      )
      insert into active_bits as a (project_id, grain, type, is_identified, bucket, block, bits)
      select project_id, grain, type, is_identified, bucket, number / ${blockSize}::int,
        bit_or(set_bit(0::bit(8192), number % ${blockSize}::int, 1))
      from slots
      group by 1, 2, 3, 4, 5, 6
      on conflict (project_id, grain, type, is_identified, bucket, block) do update
      set bits = a.bits | excluded.bits
      where a.bits | excluded.bits <> a.bits`;
  },

  async clear(tx, { project, from, to }) {
    await tx`delete from active_bits where project_id = ${project} and bucket >= ${from} and bucket < ${to}`;
  },

  rows: (tx, { project, from, to }) =>
    tx`select * from active_bits where project_id = ${project} and bucket >= ${from} and bucket < ${to}`,
};
