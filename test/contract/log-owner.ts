// An owner of partitions that writes down what it is told, for the log's contract.
import type { ConsumerHandler, ReadRecord } from "../../shared/log/log.ts";

/** How long what a log is to do may take. */
export const waitMsMax = 20_000;

/** What happened, in order: what was assigned, revoked and delivered. */
export type Happening =
  | { kind: "assigned" | "revoked"; partitions: readonly number[] }
  | { kind: "delivered"; partition: number; records: readonly ReadRecord[] };

export interface Owner extends ConsumerHandler {
  readonly happenings: readonly Happening[];
  /** All records of a partition in the order of their delivery. */
  recordsOf(partition: number): ReadRecord[];
  /** How often partitions were assigned. */
  assignments(): number;
  /** The partitions owned now. */
  owned(): readonly number[];
}

export interface OwnerOptions {
  /** Where to start; from the first record when absent. Asked at every assignment. */
  starts?(partition: number): bigint;
  /** Runs before a delivery is noted; may wait or throw. */
  before?(partition: number, records: readonly ReadRecord[]): Promise<void> | void;
}

/** Starts where it left off when it is asked again, as an owner that keeps its offsets would. */
export function createOwner(options: OwnerOptions = {}): Owner {
  const happenings: Happening[] = [];
  const next = new Map<number, bigint>();
  let owned: readonly number[] = [];
  return {
    happenings,
    async assigned(partitions) {
      owned = [...partitions];
      happenings.push({ kind: "assigned", partitions: owned });
      return new Map(
        partitions.map((partition) => [partition, next.get(partition) ?? options.starts?.(partition) ?? 0n]),
      );
    },
    async revoked(partitions) {
      owned = owned.filter((partition) => !partitions.includes(partition));
      happenings.push({ kind: "revoked", partitions: [...partitions] });
    },
    async deliver(partition, records) {
      await options.before?.(partition, records);
      happenings.push({ kind: "delivered", partition, records });
      next.set(partition, records.at(-1)!.offset + 1n);
    },
    recordsOf: (partition) =>
      happenings.flatMap((happening) =>
        happening.kind === "delivered" && happening.partition === partition ? [...happening.records] : [],
      ),
    assignments: () => happenings.filter(({ kind }) => kind === "assigned").length,
    owned: () => owned,
  };
}
