// The statements of the write path, known by their text and carried out on the simulated tables. A
// statement that is not known here fails, so none can change without the simulation noticing.
import { fromUuid } from "../../../shared/event/bytes.ts";
import {
  endSession,
  type Locks,
  type PositionRow,
  type Session,
  type Tables,
  type Transaction,
} from "./tables.ts";
import type { Twist } from "./twists.ts";

export type Row = Record<string, unknown>;

/** What a statement is given: its parameters, and where it runs; `tx` is missing outside a transaction. */
export interface Asked {
  values: readonly unknown[];
  tables: Tables;
  locks: Locks;
  session: Session;
  tx: Transaction | undefined;
  twist: Twist;
}

export interface Statement {
  /** How its text begins, blanks made one. */
  text: string;
  run(asked: Asked): Row[] | Promise<Row[]>;
}

/** A parameter that travels as JSON. */
export class Json {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

type Rows = readonly Readonly<Record<string, unknown>>[];
const rowsOf = (values: readonly unknown[]): Rows =>
  (values.find((value) => value instanceof Json) as Json).value as Rows;
const own = (tx: Transaction | undefined): Transaction => {
  if (tx === undefined) throw new Error("this statement belongs into a transaction");
  return tx;
};

/** Inserts what nobody has, `on conflict do nothing`: answers the rows that went in. */
async function insertNew<T>(
  asked: Asked,
  table: Map<string, T>,
  name: string,
  rows: [string, T][],
): Promise<Set<string>> {
  const tx = own(asked.tx);
  const inserted = new Set<string>();
  for (const [key, row] of rows) {
    await asked.locks.take(tx, `${name} ${key}`);
    if (table.has(key) || inserted.has(key)) continue;
    inserted.add(key);
    tx.writes.push(() => void table.set(key, row));
  }
  return inserted;
}

const hexKey = (hex: unknown): string => Buffer.from(String(hex), "hex").toString("latin1");
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const positionRow = (partition: number, { next, epoch, last }: PositionRow): Row => ({
  partition,
  next_offset: String(next),
  epoch: String(epoch),
  last_record: last,
});

const taking: Statement[] = [
  {
    text: "insert into log_positions",
    run({ values, tables }) {
      for (const partition of values.find(Array.isArray) as number[]) {
        if (!tables.positions.has(partition)) {
          tables.positions.set(partition, { next: 0n, epoch: 0n, owner: undefined, last: null });
        }
      }
      return [];
    },
  },
  {
    text: "select pg_terminate_backend(a.pid) from log_positions",
    run({ values, tables, session }) {
      for (const partition of values.find(Array.isArray) as number[]) {
        const owner = tables.positions.get(partition)?.owner;
        if (owner !== undefined && owner !== session) endSession(owner);
      }
      return [];
    },
  },
  {
    text: "with mine as ( select partition from log_positions",
    async run({ values, tables, locks, session, twist }) {
      const wanted = values.find(Array.isArray) as number[];
      const passing: Transaction = {
        session,
        isOver: false,
        writes: [],
        moves: [],
        isRewind: false,
        end: Promise.withResolvers(),
      };
      for (const partition of wanted) await locks.take(passing, `position ${partition}`);
      passing.isOver = true;
      passing.end.resolve();
      return wanted.map((partition) => {
        const position = tables.positions.get(partition)!;
        if (twist.keepsEpoch !== true) position.epoch += 1n;
        position.owner = session;
        return positionRow(partition, position);
      });
    },
  },
  {
    text: "select partition, next_offset, epoch, last_record from log_positions",
    run: ({ tables }) => [...tables.positions].map(([partition, row]) => positionRow(partition, row)),
  },
];

const fence: Statement = {
  text: "update log_positions p set next_offset",
  async run({ values, tables, locks, session, tx, twist }) {
    const moves = rowsOf(values).map((move) => ({
      partition: Number(move["partition"]),
      from: BigInt(String(move["from_offset"])),
      to: BigInt(String(move["to_offset"])),
      epoch: BigInt(String(move["epoch"])),
      last: move["last_record"] as string | null,
    }));
    moves.sort((left, right) => left.partition - right.partition);
    const moved: Row[] = [];
    for (const { partition, from, to, epoch, last } of moves) {
      await locks.take(own(tx), `position ${partition}`);
      const position = tables.positions.get(partition);
      if (position === undefined || position.next !== from || position.epoch !== epoch) continue;
      if (twist.movesOffsetsFirst !== true) own(tx).moves.push({ partition, to });
      const move = (): void => {
        position.next = to;
        position.last = last;
        position.owner = session;
      };
      if (twist.movesOffsetsFirst === true) move();
      else own(tx).writes.push(move);
      moved.push({ partition });
    }
    return moved;
  },
};

const moving: Statement[] = [
  {
    text: "select hashtextextended(current_schema() || '.moved_events', 0)::text as key",
    run: () => [{ key: "7" }],
  },
  {
    text: "select pg_advisory_xact_lock(",
    async run({ locks, tx }) {
      await locks.take(own(tx), "moved");
      return [];
    },
  },
  {
    text: "select pg_advisory_xact_lock_shared(",
    async run({ locks, tx }) {
      await locks.take(own(tx), "moved", true);
      return [];
    },
  },
  {
    text: "select exists (select 1 from moved_events) as found",
    run: ({ tables }) => [{ found: tables.moved.size > 0 }],
  },
  {
    text: "select m.identity_hash, uuid_send(m.id) as id from unnest(",
    run: ({ values, tables }) =>
      (values[0] as string[]).flatMap((hex) => {
        const hash = hexKey(hex);
        const id = tables.moved.get(hash);
        return id === undefined ? [] : [{ identity_hash: latin1(hash), id: latin1(id) }];
      }),
  },
  {
    text: "insert into moved_events (identity_hash, id)",
    async run(asked) {
      const rows = rowsOf(asked.values).map((row): [string, string] => [
        hexKey(row["hash"]),
        Buffer.from(fromUuid(String(row["id"]))).toString("latin1"),
      ]);
      const inserted = await insertNew(asked, asked.tables.moved, "moved", rows);
      return [...inserted].map(() => ({}));
    },
  },
  {
    text: "select string_agg(uuid_send(id) || int8send(fingerprint), ''::bytea) as pairs from events",
    run({ values, tables }) {
      const pairs = (values[0] as string[]).flatMap((uuid) => {
        const id = Buffer.from(fromUuid(uuid));
        const row = tables.events.get(id.toString("latin1"));
        return row === undefined ? [] : [id, row.fingerprint];
      });
      return [{ pairs: pairs.length === 0 ? null : Buffer.concat(pairs) }];
    },
  },
];

function noteHole({ values, tables, tx }: Asked): Row[] {
  const [, , partition, from, to] = values.map(String);
  const hole = { partition: Number(partition), from: BigInt(from!), to: BigInt(to!) };
  own(tx).isRewind = hole.to < hole.from;
  own(tx).writes.push(() => void tables.holes.push(hole));
  return [];
}

const keeping: Statement[] = [
  { text: "select project_id, type, (extract(epoch from retained_from)", run: () => [] },
  { text: "select set_config('lock_timeout'", run: () => [] },
  { text: "insert into fresh_events", run: () => [] },
  {
    text: "insert into quarantine (",
    async run(asked) {
      const rows = rowsOf(asked.values);
      const keyed = rows.map((row): [string, { reason: string; original: string }] => [
        `${row["identity_hash"]}/${row["fingerprint"]}`,
        { reason: String(row["reason"]), original: String(row["original"]) },
      ]);
      const inserted = await insertNew(asked, asked.tables.quarantine, "quarantine", keyed);
      return rows
        .filter((row) => inserted.has(`${row["identity_hash"]}/${row["fingerprint"]}`))
        .map((row) => ({ batch_id: row["batch_id"], index: row["index"] }));
    },
  },
  {
    text: "insert into quarantined_records (",
    async run(asked) {
      const [, partition, offset, reason] = asked.values;
      const place = `${partition}/${offset}/${asked.tables.holes.length}`;
      await insertNew(asked, asked.tables.records, "record", [[place, String(reason)]]);
      return [];
    },
  },
  {
    text: "insert into ledger_retransmissions (",
    async run(asked) {
      const rows = rowsOf(asked.values).map((row): [string, string] => [
        // Behind a rewind the same offset may come once more.
        `${row["partition"]}/${row["log_offset"]}/${asked.tables.holes.length}`,
        String(row["batch_id"]),
      ]);
      await insertNew(asked, asked.tables.retransmissions, "retransmission", rows);
      return [];
    },
  },
  { text: "insert into log_holes (", run: noteHole },
  { text: "insert into log_rewinds (", run: noteHole },
];

export const statements: readonly Statement[] = [...taking, fence, ...moving, ...keeping];
