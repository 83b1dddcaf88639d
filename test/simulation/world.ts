// A small world in bytes: everything that can happen next in it, and what must hold when it is quiet.
import { outcome } from "../../shared/wire/batch.ts";
import type { Copy, Judgement } from "./judge.ts";
import { fate } from "./judge.ts";
import type { Rules } from "./rules.ts";

/** What a world is made of. */
export interface Cast {
  copies: readonly Copy[];
  /** How often a batch may be sent, 1 or 2. */
  attempts: number;
  aggregators: 1 | 2;
  /** Collectors put on a disk what the log did not take. */
  hasSpool: boolean;
  /** Aggregators begin once every batch was answered: fewer orders, where others do not matter. */
  readsLast?: boolean;
  /** How many faults may happen. */
  faults: number;
}

/** The judgements for all that can be asked, by `seenKey` and sequence. */
export type Judgements = (sequence: number, seen: number, there: number) => Judgement;

export type State = Uint8Array;
export interface Step {
  state: State;
  label: string;
}

const attemptsMax = 2;
const logMax = 6;
const spoolMax = 3;
const aggregatorsMax = 2;
const partitions = 2;

// Where everything lies.
const at = {
  faults: 0,
  acked: 1,
  claim: 2, // state, batch, attempt, content
  store: 6, // rows of the two ids, known as moved, contents in quarantine
  ledger: 10, // a fate a batch
  tasks: 14, // phase, outcome, settle
  log: 14 + 3 * attemptsMax * 4, // length, entries
  spool: 38 + partitions * (logMax + 1),
  position: 52 + partitions * (spoolMax + 1), // next, epoch, owner
  view: 60 + partitions * 3, // epoch, next, by aggregator and partition
  tx: 66 + aggregatorsMax * partitions * 2, // stage, partition, to, sequence, claimed, lock, seen, inserted ids
};
const size = 74 + aggregatorsMax * 8;

/** What is still to come of an attempt: the claims' word, and a record that was given up. */
const settling = 1;
const onItsWay = 2;

const phase = { unsent: 0, received: 1, decided: 2, published: 3, spooled: 4, over: 5 } as const;
const stage = { none: 0, begun: 1, written: 2 } as const;
const lock = { none: 0, shared: 1, alone: 2 } as const;

/** Sequences of different batches, in any order: what the fresh records of one transaction can be. */
export function sequencesOf(batches: number): number[][] {
  const all: number[][] = [[]];
  for (let from = 0; from < all.length; from += 1) {
    for (let batch = 0; batch < batches; batch += 1)
      if (!all[from]!.includes(batch)) all.push([...all[from]!, batch]);
  }
  return all;
}

/** The two rows and whether the event is known as moved, as one number below 18. */
export const seenKey = (unmoved: number, moved: number, isKnownMoved: number): number =>
  (unmoved * 3 + moved) * 2 + isKnownMoved;

export function createWorld(cast: Cast, rules: Rules, judgements: Judgements) {
  const { copies, attempts, aggregators } = cast;
  const sequences = sequencesOf(copies.length);
  const sequenceIndex = new Map(sequences.map((sequence, index) => [String(sequence), index]));

  function begin(): State {
    const state = new Uint8Array(size);
    state[at.faults] = cast.faults;
    for (let partition = 0; partition < partitions; partition += 1) {
      const owner = partition % aggregators;
      state[at.position + partition * 3 + 1] = 1;
      state[at.position + partition * 3 + 2] = owner;
      state[viewAt(owner, partition)] = 1;
    }
    return state;
  }

  const viewAt = (aggregator: number, partition: number): number =>
    at.view + (aggregator * partitions + partition) * 2;
  const txAt = (aggregator: number): number => at.tx + aggregator * 8;
  const taskAt = (batch: number, attempt: number): number => at.tasks + (batch * attemptsMax + attempt) * 3;
  const logAt = (partition: number): number => at.log + partition * (logMax + 1);
  const spoolAt = (collector: number): number => at.spool + collector * (spoolMax + 1);
  const collectorOf = (batch: number, attempt: number): number => (batch + attempt) % 2;

  function next(state: State): Step[] {
    const steps: Step[] = [];
    const add = (label: string, cost: number, act: (made: State) => void): void => {
      if (state[at.faults]! < cost) return;
      const made = state.slice();
      made[at.faults] = made[at.faults]! - cost;
      act(made);
      steps.push({ state: made, label });
    };
    for (let batch = 0; batch < copies.length; batch += 1)
      for (let attempt = 0; attempt < attempts; attempt += 1) addTask(state, batch, attempt, add);
    for (let collector = 0; collector < 2; collector += 1) addCollector(state, collector, add);
    // Time passes, or the server forgets.
    if (state[at.claim] !== 0)
      add("the claim is forgotten", 0, (made) => void made.fill(0, at.claim, at.claim + 4));
    if (cast.readsLast === true && isUnderWay(state)) return steps;
    for (let aggregator = 0; aggregator < aggregators; aggregator += 1) addAggregator(state, aggregator, add);
    for (let partition = 0; partition < partitions; partition += 1) addAssignment(state, partition, add);
    return steps;
  }

  const isUnderWay = (state: State): boolean =>
    copies.some((_, batch) =>
      Array.from({ length: attempts }, (_unused, attempt) => taskAt(batch, attempt)).some(
        (task) => state[task] !== phase.over || state[task + 2] !== 0,
      ),
    );

  type Add = (label: string, cost: number, act: (made: State) => void) => void;

  function append(made: State, partition: number, batch: number, code: number): void {
    const log = logAt(partition);
    made[log] = made[log]! + 1;
    made[log + made[log]!] = batch * 8 + code;
  }

  const hasRoom = (state: State, partition: number): boolean => state[logAt(partition)]! < logMax;

  function settle(made: State, batch: number): void {
    if (made[at.claim] === 2) return;
    made[at.claim] = 2;
    made[at.claim + 1] = batch;
    made[at.claim + 3] = copies[batch]!.content;
  }

  function addTask(state: State, batch: number, attempt: number, add: Add): void {
    const task = taskAt(batch, attempt);
    const name = `batch ${batch}, attempt ${attempt}`;
    const isAcked = (state[at.acked]! & ((1 << batch) | (1 << (batch + spooledBits)))) !== 0;
    const ack = (made: State): void => {
      made[at.acked] = made[at.acked]! | (1 << batch);
    };
    const over = (made: State): void => {
      made[task] = phase.over;
    };
    if ((state[task + 2]! & settling) !== 0) {
      add(`${name}: settled`, 0, (made) => {
        made[task + 2] = made[task + 2]! & ~settling;
        settle(made, batch);
      });
    }
    const partition = rules.partitionOf(batch, attempt);
    if ((state[task + 2]! & onItsWay) !== 0 && hasRoom(state, partition)) {
      add(`${name}: comes through late, to ${partition}`, 0, (made) => {
        append(made, partition, batch, made[task + 1]!);
        made[task + 2] = made[task + 2]! & ~onItsWay;
      });
    }
    switch (state[task]) {
      case phase.unsent:
        // A resend of the same batch, also while the first is still under way.
        if (attempt === 0 || (!isAcked && state[taskAt(batch, 0)] !== phase.unsent)) {
          add(`${name}: comes to collector ${collectorOf(batch, attempt)}`, 0, (made) => {
            made[task] = phase.received;
          });
        }
        return;
      case phase.received:
        add(`${name}: claims`, 0, (made) => claim(made, batch, attempt, ack));
        add(`${name}: goes on unchecked`, 1, (made) => decideOn(made, batch, attempt, undefined, ack));
        return;
      case phase.decided:
        addPublish(state, batch, attempt, add);
        return;
      case phase.published:
      case phase.spooled:
        add(`${name}: is acknowledged`, 0, (made) => {
          if (state[task] === phase.published) ack(made);
          else made[at.acked] = made[at.acked]! | (1 << (batch + spooledBits));
          over(made);
        });
        add(`${name}: its answer is lost`, 1, over);
        return;
      default:
    }
  }

  function claim(made: State, batch: number, attempt: number, ack: (made: State) => void): void {
    const [state, holder, , content] = made.subarray(at.claim, at.claim + 4);
    const held = { state: state!, batch: holder!, content: content! };
    const found = rules.find(held, batch, copies[batch]!.content);
    if (state === 0) made.set([1, batch, attempt, copies[batch]!.content], at.claim);
    decideOn(made, batch, attempt, found, ack);
  }

  function decideOn(
    made: State,
    batch: number,
    attempt: number,
    found: number | undefined,
    ack: (made: State) => void,
  ): void {
    const task = taskAt(batch, attempt);
    const asked = found === undefined ? undefined : Uint8Array.of(found);
    const { outcomes, isLogged } = rules.decide(Uint8Array.of(0), asked);
    made[task] = isLogged ? phase.published : phase.decided;
    made[task + 1] = outcomes[0]!;
    if (rules.acksEarly) ack(made);
  }

  function addPublish(state: State, batch: number, attempt: number, add: Add): void {
    const task = taskAt(batch, attempt);
    const name = `batch ${batch}, attempt ${attempt}`;
    const code = state[task + 1]!;
    const partition = rules.partitionOf(batch, attempt);
    const isPublished = code !== outcome.duplicate;
    const fail = (made: State): void => {
      if (cast.hasSpool) {
        const spool = spoolAt(collectorOf(batch, attempt));
        if (made[spool]! < spoolMax) {
          made[spool] = made[spool]! + 1;
          made[spool + made[spool]!] = batch * 8 + code;
          made[task] = phase.spooled;
          if (rules.settlesAtSpool && isPublished) made[task + 2] = made[task + 2]! | settling;
          return;
        }
      }
      made[task] = phase.over;
      if (rules.settlesUnpublished && isPublished) made[task + 2] = made[task + 2]! | settling;
    };
    if (hasRoom(state, partition)) {
      add(`${name}: published to ${partition}`, 0, (made) => {
        append(made, partition, batch, code);
        made[task] = phase.published;
        if (isPublished) made[task + 2] = made[task + 2]! | settling;
      });
      add(`${name}: published to ${partition}, and nobody is told`, 1, (made) => {
        append(made, partition, batch, code);
        fail(made);
      });
    }
    add(`${name}: its publish is lost, and nobody is told`, 1, fail);
    add(`${name}: its publish is given up, and still on its way`, 1, (made) => {
      fail(made);
      made[task + 2] = made[task + 2]! | onItsWay;
    });
    if (!cast.hasSpool) {
      add(`${name}: its publish is refused`, 1, (made) => {
        made[task] = phase.over;
        const [held, holder, by] = made.subarray(at.claim, at.claim + 3);
        if (held === 1 && holder === batch && by === attempt) made.fill(0, at.claim, at.claim + 4);
      });
    }
  }

  function addCollector(state: State, collector: number, add: Add): void {
    const own: number[] = [];
    for (let batch = 0; batch < copies.length; batch += 1)
      for (let attempt = 0; attempt < attempts; attempt += 1)
        if (collectorOf(batch, attempt) === collector) own.push(taskAt(batch, attempt));
    const isBusy = (task: number): boolean =>
      (state[task]! > phase.unsent && state[task]! < phase.over) || (state[task + 2]! & settling) !== 0;
    if (own.some(isBusy)) {
      const kill = (made: State, sent: number): void => {
        for (const task of own.filter(isBusy)) {
          const left = (made[task + 2]! & onItsWay) | (made[task] === phase.decided ? sent : 0);
          made.set([phase.over, left === 0 ? 0 : made[task + 1]!, left], task);
        }
      };
      add(`collector ${collector} is killed`, 1, (made) => kill(made, 0));
      if (own.some((task) => state[task] === phase.decided)) {
        add(`collector ${collector} is killed, what it sent is on its way`, 1, (made) =>
          kill(made, onItsWay),
        );
      }
    }
    const spool = spoolAt(collector);
    if (state[spool] === 0) return;
    add(`the disk of collector ${collector} is lost`, 1, (made) => {
      made.fill(0, spool, spool + spoolMax + 1);
      made[at.acked] = made[at.acked]! | diskLost;
    });
    const [entry] = state.subarray(spool + 1);
    const [batch, code] = [entry! >> 3, entry! & 7];
    const partition = rules.partitionOf(batch, 0);
    if (!hasRoom(state, partition)) return;
    add(`collector ${collector} drains batch ${batch}`, 0, (made) => {
      append(made, partition, batch, code);
      made.copyWithin(spool + 1, spool + 2, spool + spoolMax + 1);
      made[spool + spoolMax] = 0;
      made[spool] = made[spool]! - 1;
      if (code !== outcome.duplicate) settle(made, batch);
    });
    add(`collector ${collector} drains batch ${batch} and forgets that it did`, 1, (made) =>
      append(made, partition, batch, code),
    );
  }

  function addAggregator(state: State, aggregator: number, add: Add): void {
    const tx = txAt(aggregator);
    if (state[tx] === stage.none) {
      for (let partition = 0; partition < partitions; partition += 1) {
        const view = viewAt(aggregator, partition);
        const from = state[view + 1]!;
        const end = state[logAt(partition)]!;
        if (state[view] === 0 || from >= end) continue;
        for (const to of new Set([from + 1, end])) addBegin(state, aggregator, partition, to, add);
      }
    } else {
      if (state[tx] === stage.begun) addWrite(state, aggregator, add);
      else {
        add(`aggregator ${aggregator} commits`, 0, (made) => commit(made, aggregator, true));
        add(`aggregator ${aggregator} commits, and is not told`, 1, (made) =>
          commit(made, aggregator, false),
        );
      }
      add(`aggregator ${aggregator} loses its session`, 1, (made) => abort(made, aggregator));
    }
    const [from, to] = [viewAt(aggregator, 0), viewAt(aggregator, partitions)];
    if (
      state[tx] !== stage.none ||
      state.subarray(from, to).some((value, index) => index % 2 === 0 && value > 0)
    ) {
      add(`aggregator ${aggregator} is killed`, 1, (made) => {
        abort(made, aggregator);
        made.fill(0, from, to);
      });
    }
  }

  function abort(made: State, aggregator: number): void {
    made.fill(0, txAt(aggregator), txAt(aggregator) + 8);
  }

  function addBegin(state: State, aggregator: number, partition: number, to: number, add: Add): void {
    const view = viewAt(aggregator, partition);
    const position = at.position + partition * 3;
    const name = `aggregator ${aggregator}`;
    const others = openOthers(state, aggregator);
    // Its row of the positions is locked until that transaction ends.
    if (others.some((tx) => state[tx + 1] === partition && !rules.commitsOffsetsFirst)) return;
    if (state[position] !== state[view + 1] || state[position + 1] !== state[view]) {
      add(`${name} finds partition ${partition} moved on`, 0, (made) => {
        // A commit of its own that it was not told of, or somebody else's.
        if (made[position + 1] === made[view]) made[view + 1] = made[position]!;
        else made.set([0, 0], view);
      });
      return;
    }
    const entries = [...state.subarray(logAt(partition) + 1 + state[view + 1]!, logAt(partition) + 1 + to)];
    const known = (batch: number): boolean =>
      state[at.ledger + batch] !== fate.none && !rules.writesRowsFirst;
    const batches = [...new Set(entries.map((entry) => entry >> 3))].filter((batch) => !known(batch));
    // The ledger's key of another open transaction is waited for.
    if (others.some((tx) => batchesIn(state, tx).some((batch) => batches.includes(batch)))) return;
    const first = (batch: number): number => entries.find((entry) => entry >> 3 === batch)! & 7;
    const claimed = batches.filter((batch) => first(batch) === outcome.duplicate);
    const fresh = batches.filter((batch) => !claimed.includes(batch));
    const isAlone = fresh.some((batch) => copies[batch]!.isMoved);
    const wanted = !rules.locksMoved ? lock.none : isAlone ? lock.alone : lock.shared;
    if (
      others.some(
        (tx) => state[tx + 5] === lock.alone || (wanted === lock.alone && state[tx + 5] !== lock.none),
      )
    )
      return;
    add(
      `${name} begins with partition ${partition} up to ${to}: ${batches.join(", ") || "nothing new"}`,
      0,
      (made) => {
        const mask = claimed.reduce((sum, batch) => sum | (1 << batch), 0);
        const seen = seenKey(made[at.store]!, made[at.store + 1]!, made[at.store + 2]!);
        const sequence = sequenceIndex.get(String(fresh))!;
        made.set([stage.begun, partition, to, sequence, mask, wanted, seen, 0], txAt(aggregator));
        if (rules.commitsOffsetsFirst) made[position] = to;
      },
    );
  }

  const openOthers = (state: State, aggregator: number): number[] =>
    [...Array(aggregators).keys()]
      .filter((one) => one !== aggregator && state[txAt(one)] !== stage.none)
      .map(txAt);

  function batchesIn(state: State, tx: number): number[] {
    const claimed = copies.flatMap((_, batch) => ((state[tx + 4]! & (1 << batch)) !== 0 ? [batch] : []));
    return [...sequences[state[tx + 3]!]!, ...claimed];
  }

  // Ids that another open transaction has inserted are waited for.
  function addWrite(state: State, aggregator: number, add: Add): void {
    const tx = txAt(aggregator);
    const there = seenKey(state[at.store]!, state[at.store + 1]!, 0);
    const { rows } = judgements(state[tx + 3]!, state[tx + 6]!, there);
    const ids = rows.reduce((mask, row, id) => (row === state[at.store + id] ? mask : mask | (1 << id)), 0);
    if (openOthers(state, aggregator).some((other) => (state[other + 7]! & ids) !== 0)) return;
    add(`aggregator ${aggregator} writes its rows`, 0, (made) => {
      made[tx] = stage.written;
      made[tx + 7] = ids;
      // What is there now is what its rows met.
      made[tx + 6] = state[tx + 6]!;
    });
  }

  function commit(made: State, aggregator: number, isTold: boolean): void {
    const tx = txAt(aggregator);
    const [, partition, to, sequence, claimed, , seen] = made.subarray(tx, tx + 8);
    const position = at.position + partition! * 3;
    if (made[position + 2] !== aggregator) made[at.faults] = fencedWriter;
    const there = seenKey(made[at.store]!, made[at.store + 1]!, 0);
    const judged = judgements(sequence!, seen!, there);
    sequences[sequence!]!.forEach((batch, index) => {
      made[at.ledger + batch] = keep(made, batch, judged.fates[index]!);
    });
    for (const [batch] of copies.entries())
      if ((claimed! & (1 << batch)) !== 0) made[at.ledger + batch] = fate.claimed;
    made.set(judged.rows, at.store);
    if (judged.isKnownMoved) made[at.store + 2] = 1;
    made[position] = to!;
    const view = viewAt(aggregator, partition!);
    if (isTold) made[view + 1] = to!;
    abort(made, aggregator);
  }

  // A conflict is kept once by its content; a further copy of it is a duplicate.
  function keep(made: State, batch: number, found: number): number {
    if (found !== fate.conflict) return found;
    const bit = 1 << copies[batch]!.content;
    if ((made[at.store + 3]! & bit) !== 0) return fate.duplicate;
    made[at.store + 3] = made[at.store + 3]! | bit;
    return fate.conflict;
  }

  // The new owner ends the session of the one before; that one is not told, and goes on as if nothing were.
  function addAssignment(state: State, partition: number, add: Add): void {
    const position = at.position + partition * 3;
    const owner = state[position + 2]!;
    const isLost = state[viewAt(owner, partition)] === 0;
    for (let aggregator = 0; aggregator < aggregators; aggregator += 1) {
      if (aggregator === owner && !isLost) continue;
      add(`partition ${partition} goes to aggregator ${aggregator}`, isLost ? 0 : 1, (made) => {
        if (aggregator !== owner) abort(made, owner);
        if (rules.raisesEpoch) made[position + 1] = made[position + 1]! + 1;
        made[position + 2] = aggregator;
        made.set([made[position + 1]!, made[position]!], viewAt(aggregator, partition));
      });
    }
  }

  /** What does not hold in this state, in words; undefined where all is well, or too much is under way to tell. */
  function violation(state: State): string | undefined {
    if (state[at.faults] === fencedWriter) return "a writer committed to a partition that is another's";
    const [unmoved, moved, , kept] = state.subarray(at.store, at.store + 4);
    if (unmoved !== 0 && moved !== 0) return "the event is stored twice";
    for (let aggregator = 0; aggregator < aggregators; aggregator += 1)
      if (state[txAt(aggregator)] !== stage.none) return undefined;
    for (let place = 0; place < partitions; place += 1) {
      if (state[at.position + place * 3] !== state[logAt(place)] || state[spoolAt(place)] !== 0)
        return undefined;
    }
    const row = Math.max(unmoved!, moved!);
    for (const [batch, { content }] of copies.entries()) {
      // What was acknowledged as spooled is as safe as that disk, and not safer.
      const isSpooled =
        (state[at.acked]! & diskLost) === 0 && (state[at.acked]! & (1 << (batch + spooledBits))) !== 0;
      if ((state[at.acked]! & (1 << batch)) === 0 && !isSpooled) continue;
      const isThere = row === content + 1 || (row !== 0 && (kept! & (1 << content)) !== 0);
      if (!isThere) return `batch ${batch} was acknowledged and its content is nowhere`;
    }
    const fates = [...state.subarray(at.ledger, at.ledger + copies.length)];
    const count = (wanted: number): number => fates.filter((one) => one === wanted).length;
    if (count(fate.stored) !== (row === 0 ? 0 : 1))
      return `the ledger says ${count(fate.stored)} stored, and ${row === 0 ? 0 : 1} is`;
    const inQuarantine = [0, 1].filter((content) => (kept! & (1 << content)) !== 0).length;
    if (count(fate.conflict) !== inQuarantine) return "the ledger's conflicts are not what is in quarantine";
    return undefined;
  }

  return { begin, next, violation };
}

/** In `acked`: where the bits of those acknowledged as spooled begin, and that a spool's disk is gone. */
const spooledBits = 4;
const diskLost = 128;
/** Marks a state in which a fenced writer has committed. */
const fencedWriter = 255;
