// The port of a read model: figures made of events ahead of the questions, the same as a recount would give.
import type { PendingQuery, Row, TransactionSql } from "postgres";

/** A UTC day of a project; `from` and `to` (exclusive) are its ends. */
export interface StaleDay {
  project: string;
  day: string;
  from: Date;
  to: Date;
}

/**
 * One read model. Whoever calls is the only one that folds, in one transaction for all models, so that no
 * two writers meet on a row; a rejection leaves all of them as they were, and the same events come again.
 */
export interface Model {
  name: string;
  /**
   * Adds the events of the temporary table `weir_fresh`. Each stored event is offered once, in any order;
   * once more only behind a `clear` of its day. Rows without a `number` have neither of the two ids.
   */
  fold(tx: TransactionSql): Promise<void>;
  /** Forgets a day, so that folding all of its events again gives what a recount gives. */
  clear(tx: TransactionSql, day: StaleDay): Promise<void>;
  /** A select of what the model says of a day: the same rows whatever the order in which events came. */
  rows(tx: TransactionSql, day: StaleDay): PendingQuery<Row[]>;
}

/**
 * What a model sees of an event: `number` is its person's in `persons` (of user_id, of anonymous_id where
 * there is none), `is_identified` whether it has a user_id.
 */
export const freshColumns = `
  id uuid,
  project_id text,
  event_time timestamptz,
  number integer,
  is_identified boolean,
  type text,
  country text,
  city text,
  device text,
  app_version text,
  session_id text,
  revenue numeric,
  currency text,
  received_at timestamptz,
  flags smallint`;
