// The last hour in memory, second by second, kept up with by reading what the folds have written since.
import type { TransactionSql } from "postgres";

/** Windows that end now, the shortest first. */
export const windows = [
  { name: "1m", seconds: 60 },
  { name: "5m", seconds: 300 },
  { name: "15m", seconds: 900 },
  { name: "1h", seconds: 3_600 },
] as const;

export const longestSeconds = 3_600;

/** Whose events are counted. */
export interface HourAsked {
  project?: string | undefined;
  types?: readonly string[] | undefined;
  users: "identified" | "all";
}

export interface WindowCount {
  window: (typeof windows)[number]["name"];
  active_users: number;
  events: number;
  conversions: number;
}

/** What a fold was about, as whoever looks on is told: ids of some of its events. */
export interface SeenFold {
  project: string;
  events: number;
  ids: string[];
}

export interface LiveHour {
  /**
   * Reads in one snapshot what is new, and forgets seconds that no window holds any more. Answers the folds since
   * the last time; none where everything had to be read anew. `to`: the end of all windows, epoch seconds.
   */
  read(tx: TransactionSql, to: number): Promise<SeenFold[]>;
  /** The windows that end before the second `to`, which is not later than the last read's. */
  count(asked: HourAsked, to: number): { windows: WindowCount[]; eventsPerSecond: number };
  /** Forgets everything; the next read is of the whole hour. */
  forget(): void;
}

/** What was of one type in one second. */
interface Cell {
  project: string;
  type: string;
  isIdentified: boolean;
  events: number;
  people: Int32Array;
}

interface CellRow {
  project: string;
  second: number;
  type: string;
  identified: boolean;
  events: number;
  people: string;
}

/** The rate is over so many seconds, so that it neither jumps nor lags. */
const rateSeconds = 10;
/** Rows fetched at once while the whole hour is read. */
const rowsAtOnce = 2_000;

/** Takes some 4 bytes for each person, type and second: 30 MB at 2,000 events a second of as many people. */
export function createLiveHour(conversionTypes: ReadonlySet<string>): LiveHour {
  const seconds = new Map<number, Map<string, Cell>>();
  // Who was counted already in the count under way: numbers of people are small, so a list by number finds them.
  const counted = new Map<string, Uint32Array>();
  let turn = 0;
  /** The mark of what was read last; undefined before anything was. */
  let known: number | undefined;

  function put(row: CellRow): void {
    const cells = seconds.get(row.second) ?? new Map<string, Cell>();
    seconds.set(row.second, cells);
    const { project, type } = row;
    cells.set(`${row.identified} ${project}\u0000${type}`, {
      project,
      type,
      isIdentified: row.identified,
      events: row.events,
      people: row.people === "" ? new Int32Array() : Int32Array.from(row.people.split(","), Number),
    });
  }

  function countPeople({ project, people }: Cell): number {
    let marks = counted.get(project) ?? new Uint32Array(1_024);
    let found = 0;
    for (const number of people) {
      if (number >= marks.length) marks = grown(marks, number);
      if (marks[number] === turn) continue;
      marks[number] = turn;
      found += 1;
    }
    counted.set(project, marks);
    return found;
  }

  const forget = (): void => {
    seconds.clear();
    counted.clear();
    known = undefined;
  };

  return {
    forget,
    async read(tx, to) {
      const { mark, goesOn } = await readState(tx, known ?? 0);
      if (mark !== known && !goesOn) forget();
      const from = known;
      known = mark;
      if (mark !== from) {
        const rows = readRows(tx, from ?? 0, to - longestSeconds);
        for await (const some of rows.cursor(rowsAtOnce)) some.forEach(put);
      }
      for (const second of seconds.keys()) if (second < to - longestSeconds) seconds.delete(second);
      return from === undefined || mark === from ? [] : await readFolds(tx, from);
    },
    count({ project, types, users }, to) {
      turn += 1;
      const wanted = types === undefined ? undefined : new Set(types);
      const answer: WindowCount[] = [];
      let [active, events, conversions, recent] = [0, 0, 0, 0];
      for (let second = to - 1; answer.length < windows.length; second -= 1) {
        for (const cell of seconds.get(second)?.values() ?? []) {
          if (project !== undefined && cell.project !== project) continue;
          if (wanted !== undefined && !wanted.has(cell.type)) continue;
          if (users === "identified" && !cell.isIdentified) continue;
          active += countPeople(cell);
          events += cell.events;
          if (conversionTypes.has(cell.type)) conversions += cell.events;
        }
        if (second === to - rateSeconds) recent = events;
        const window = windows[answer.length]!;
        if (to - second === window.seconds) {
          answer.push({ window: window.name, active_users: active, events, conversions });
        }
      }
      return { windows: answer, eventsPerSecond: recent / rateSeconds };
    },
  };
}

function grown(marks: Uint32Array, number: number): Uint32Array {
  const larger = new Uint32Array(Math.max(2 * marks.length, number + 1));
  larger.set(marks);
  return larger;
}

// Folds follow one another, so a greater mark is a later fold. One who reads on has seen the fold of `known`: it
// is still there, but where everything was taken away, or nobody has folded for minutes.
async function readState(tx: TransactionSql, known: number): Promise<{ mark: number; goesOn: boolean }> {
  const [row] = await tx<[{ mark: number | null; goes_on: boolean }]>`
    select greatest((select max(mark) from live_seconds), (select max(mark) from live_folds))::float8 as mark,
      exists (select 1 from live_folds where mark = ${known}::float8::bigint)
        and not exists (select 1 from live_folds where mark > ${known}::float8::bigint and ids is null) as goes_on`;
  return { mark: row.mark ?? 0, goesOn: known === 0 || row.goes_on };
}

const readRows = (tx: TransactionSql, known: number, from: number) => tx<CellRow[]>`
  select project_id as project, extract(epoch from second)::float8 as second, type, is_identified as identified,
    events, array_to_string(people, ',') as people
  from live_seconds
  where mark > ${known}::float8::bigint and second >= to_timestamp(${from}::float8)`;

async function readFolds(tx: TransactionSql, known: number): Promise<SeenFold[]> {
  return await tx<SeenFold[]>`
    select project_id as project, events, ids::text[] as ids
    from live_folds
    where mark > ${known}::float8::bigint and ids is not null
    order by mark`;
}
