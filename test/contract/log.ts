// The contract of the log: what every driver promises, by name. Each promise has a topic of its own.
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { recordBytesMax } from "../../shared/limits.ts";
import type { Log, LogReader, ReadRecord } from "../../shared/log/log.ts";
import { until } from "../support/until.ts";
import { createOwner, waitMsMax } from "./log-owner.ts";

/** A driver under test. */
export interface LogSubject {
  /** Opens a topic's log; every call is another handle on the same log. */
  open(topic: string, partitions?: number): Promise<Log>;
  /** Removes a topic, so that another may be made under its name. */
  remove(topic: string): Promise<void>;
  /** Drops what a partition holds before `start`, as retention does. */
  forget(topic: string, partition: number, start: bigint): Promise<void>;
  /** Whether the members of a group share the partitions, or one owns all. */
  sharesPartitions: boolean;
  close(): Promise<void>;
}

const text = (record: Pick<ReadRecord, "value">): string => Buffer.from(record.value).toString();
const bytes = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
const offsets = (records: readonly ReadRecord[]): number[] => records.map(({ offset }) => Number(offset));
const count = (length: number, from = 0): number[] => Array.from({ length }, (_, at) => from + at);

/** Runs the contract against one driver. */
export function logContract(name: string, start: () => Promise<LogSubject>): void {
  describe(`the log contract: ${name}`, () => {
    let subject: LogSubject;
    const closers: (() => Promise<void>)[] = [];
    beforeAll(async () => {
      subject = await start();
    });
    afterEach(async () => {
      for (const close of closers.splice(0).reverse()) await close();
    });
    afterAll(() => subject?.close());

    async function made(partitions: number, topic = `topic-${randomUUID()}`) {
      const log = await subject.open(topic, partitions);
      await log.create();
      const kept = <T extends { close(): Promise<void> }>(role: T): T => {
        closers.push(() => role.close());
        return role;
      };
      return {
        topic,
        log,
        producer: async () => kept(await log.producer()),
        reader: async () => kept(await log.reader()),
        consumer: async (group = "aggregator") => kept(await log.consumer(group)),
      };
    }

    async function readAll(reader: LogReader, partition: number): Promise<ReadRecord[]> {
      const { start, end } = (await reader.ranges()).get(partition)!;
      return Array.fromAsync(reader.read(partition, start, end));
    }

    it("delivers published records in order, with offsets that have no holes", async () => {
      const { producer, consumer } = await made(2);
      const writer = await producer();
      const owner = createOwner();
      await (await consumer()).run(owner);
      for (const at of count(20)) await writer.publish(at % 2, bytes(`record ${at}`));
      await until(
        "all delivered",
        waitMsMax,
        () => owner.recordsOf(0).length + owner.recordsOf(1).length >= 20,
      );
      for (const partition of [0, 1]) {
        expect(owner.recordsOf(partition).map(text)).toEqual(
          count(10).map((at) => `record ${at * 2 + partition}`),
        );
        expect(offsets(owner.recordsOf(partition))).toEqual(count(10));
      }
    });

    it("keeps the order of publishes that wait for one another in a partition", async () => {
      const { producer, reader } = await made(3);
      const writer = await producer();
      await Promise.all(count(300).map((at) => writer.publish(at % 3, bytes(`${at}`))));
      const observer = await reader();
      for (const partition of [0, 1, 2]) {
        const records = await readAll(observer, partition);
        expect(records.map(text)).toEqual(count(100).map((at) => `${at * 3 + partition}`));
        expect(offsets(records)).toEqual(count(100));
      }
    });

    it("gives back every byte value, an empty record and the largest one", async () => {
      const { producer, consumer, reader } = await made(1);
      const everyByte = Uint8Array.from({ length: 1024 }, (_, at) => at & 0xff);
      const largest = Uint8Array.from({ length: recordBytesMax }, (_, at) => (at * 31) & 0xff);
      const published = [everyByte, new Uint8Array(), largest];
      const writer = await producer();
      for (const record of published) await writer.publish(0, record);
      const owner = createOwner();
      await (await consumer()).run(owner);
      await until("all delivered", waitMsMax, () => owner.recordsOf(0).length === 3);
      for (const found of [owner.recordsOf(0), await readAll(await reader(), 0)]) {
        expect(found).toHaveLength(3);
        for (const [at, record] of published.entries()) {
          expect(Buffer.compare(found[at]!.value, record)).toBe(0);
        }
      }
    });

    it("tells when the log took a record", async () => {
      const { producer, reader } = await made(1);
      const before = Date.now();
      await (await producer()).publish(0, bytes("now"));
      const [record] = await readAll(await reader(), 0);
      expect(record!.time).toBeGreaterThanOrEqual(before - 1);
      expect(record!.time).toBeLessThanOrEqual(Date.now() + 1);
    });

    it("refuses a record that is too large or for no partition, and takes the next", async () => {
      const { producer, reader } = await made(1);
      const writer = await producer();
      const tooLarge = writer.publish(0, new Uint8Array(recordBytesMax + 1));
      await expect(tooLarge).rejects.toMatchObject({ name: "PublishError", failure: "refused" });
      await expect(writer.publish(1, bytes("x"))).rejects.toMatchObject({ failure: "refused" });
      await writer.publish(0, bytes("small"));
      expect((await readAll(await reader(), 0)).map(text)).toEqual(["small"]);
    });

    it("rejects a publish after close as not stored, and ends what was in flight before", async () => {
      const { producer, reader } = await made(1);
      const writer = await producer();
      const inFlight = count(10).map((at) => writer.publish(0, bytes(`${at}`)));
      const closed = writer.close();
      await expect(writer.publish(0, bytes("late"))).rejects.toMatchObject({ failure: "not_stored" });
      await Promise.all([...inFlight, closed]);
      expect((await readAll(await reader(), 0)).map(text)).toEqual(count(10).map(String));
    });

    it("starts where the owner says, whatever was noted, and delivers nothing before it has said", async () => {
      const { producer, consumer } = await made(1);
      const writer = await producer();
      for (const at of count(10)) await writer.publish(0, bytes(`${at}`));
      const first = await consumer();
      const earlier = createOwner();
      await first.run(earlier);
      await until("all delivered", waitMsMax, () => earlier.recordsOf(0).length === 10);
      first.noted(0, 10n);
      await first.close();

      const answer = Promise.withResolvers<void>();
      const owner = createOwner({ starts: () => 4n });
      const { assigned } = owner;
      owner.assigned = async (partitions) => {
        if (partitions.length > 0) await answer.promise;
        return assigned(partitions);
      };
      const running = (await consumer()).run(owner);
      await writer.publish(0, bytes("10"));
      expect(owner.recordsOf(0)).toEqual([]);
      answer.resolve();
      await running;
      await until("the rest delivered", waitMsMax, () => owner.recordsOf(0).length === 7);
      expect(offsets(owner.recordsOf(0))).toEqual(count(7, 4));
    });

    it("asks anew and delivers the same offset again when the owner rejects it", async () => {
      const { producer, consumer } = await made(1);
      const writer = await producer();
      const tried: number[] = [];
      const owner = createOwner({
        before: (_, records) => {
          tried.push(Number(records[0]!.offset));
          if (tried.length === 2) throw new Error("the owner is not able");
        },
      });
      await (await consumer()).run(owner);
      await writer.publish(0, bytes("taken"));
      await until("the first delivered", waitMsMax, () => owner.recordsOf(0).length === 1);
      await writer.publish(0, bytes("rejected once"));
      await until("the second delivered", waitMsMax, () => owner.recordsOf(0).length === 2);
      expect(tried).toEqual([0, 1, 1]);
      expect(owner.assignments()).toBe(2);
      expect(owner.happenings.map(({ kind }) => kind)).toEqual([
        ...["assigned", "delivered", "revoked", "assigned", "delivered"],
      ]);
    });

    it("delivers partitions side by side: one that waits does not hold up another", async () => {
      const { producer, consumer } = await made(2);
      const writer = await producer();
      await Promise.all([writer.publish(0, bytes("slow")), writer.publish(1, bytes("quick"))]);
      const release = Promise.withResolvers<void>();
      const owner = createOwner({ before: (partition) => (partition === 0 ? release.promise : undefined) });
      await (await consumer()).run(owner);
      await until("the other delivered", waitMsMax, () => owner.recordsOf(1).length === 1);
      expect(owner.recordsOf(0)).toEqual([]);
      release.resolve();
      await until("the slow one delivered", waitMsMax, () => owner.recordsOf(0).length === 1);
    });

    it("never has one record with two members of a group, and hands over when one leaves", async () => {
      const { producer, consumer } = await made(4);
      const writer = await producer();
      const busy = new Map<number, string>();
      const overlaps: string[] = [];
      const member = (name: string) =>
        createOwner({
          before: async (partition) => {
            if (busy.has(partition)) overlaps.push(`${partition}: ${busy.get(partition)} and ${name}`);
            busy.set(partition, name);
            await new Promise((resolve) => setTimeout(resolve, 3));
            busy.delete(partition);
          },
        });
      // The members keep their offsets in one place, as aggregators do in the store.
      const stored = new Map<number, bigint>();
      const sharing = (owner: ReturnType<typeof member>) => {
        const { assigned, deliver } = owner;
        owner.assigned = async (partitions) => {
          await assigned(partitions);
          return new Map(partitions.map((partition) => [partition, stored.get(partition) ?? 0n]));
        };
        owner.deliver = async (partition, records) => {
          await deliver(partition, records);
          stored.set(partition, records.at(-1)!.offset + 1n);
        };
        return owner;
      };
      const [one, two] = [sharing(member("one")), sharing(member("two"))];
      const [first, second] = [await consumer(), await consumer()];
      await first.run(one);
      const publishing = (async () => {
        for (const at of count(200)) await writer.publish(at % 4, bytes(`${at}`));
      })();
      await second.run(two);
      if (subject.sharesPartitions) {
        await until("shared", waitMsMax, () => one.owned().length === 2 && two.owned().length === 2);
      } else {
        expect(two.owned()).toEqual([]);
      }
      await publishing;
      await first.close();
      await until("handed over", waitMsMax, () => two.owned().length === 4);
      for (const at of count(40)) await writer.publish(at % 4, bytes(`late ${at}`));
      await until("all delivered", waitMsMax, () =>
        count(4).every((partition) => stored.get(partition) === 60n),
      );
      expect(overlaps).toEqual([]);
      for (const partition of count(4)) {
        const delivered = [...one.recordsOf(partition), ...two.recordsOf(partition)];
        expect(offsets(delivered)).toEqual(count(60));
      }
      // What was revoked is not delivered before it is assigned again.
      for (const { happenings } of [one, two]) {
        let owned: readonly number[] = [];
        for (const happening of happenings) {
          if (happening.kind === "delivered") expect(owned).toContain(happening.partition);
          else owned = happening.kind === "assigned" ? happening.partitions : [];
        }
      }
    });

    it("keeps apart groups of one name that read two topics", async () => {
      const logs = await Promise.all([made(2), made(3)]);
      const owners = logs.map(() => createOwner());
      const consumers = await Promise.all(logs.map(({ consumer }) => consumer()));
      await Promise.all(consumers.map((consumer, at) => consumer.run(owners[at]!)));
      await until(
        "both own all",
        waitMsMax,
        () => owners[0]!.owned().length === 2 && owners[1]!.owned().length === 3,
      );
    });

    it("waits at close for what is being delivered", async () => {
      const { producer, consumer } = await made(1);
      await (await producer()).publish(0, bytes("x"));
      const [entered, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const owner = createOwner({
        before: () => {
          entered.resolve();
          return release.promise;
        },
      });
      const member = await consumer();
      await member.run(owner);
      await entered.promise;
      let isClosed = false;
      const closing = member.close().then(() => {
        isClosed = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(isClosed).toBe(false);
      release.resolve();
      await closing;
      expect(owner.happenings.map(({ kind }) => kind)).toEqual(["assigned", "delivered", "revoked"]);
    });

    it("reads beside a running consumer without disturbing it", async () => {
      const { producer, consumer, reader } = await made(2);
      const writer = await producer();
      const owner = createOwner();
      await (await consumer()).run(owner);
      const observer = await reader();
      const ends = [...(await observer.ranges())].map(([at, { start, end }]) => [at, start, end]);
      expect(ends.sort()).toEqual(count(2).map((at) => [at, 0n, 0n]));
      for (const at of count(10)) await writer.publish(1, bytes(`${at}`));
      expect((await observer.ranges()).get(1)).toMatchObject({ start: 0n, end: 10n });
      const part = await Array.fromAsync(observer.read(1, 3n, 7n));
      expect(part.map(text)).toEqual(["3", "4", "5", "6"]);
      await until("all delivered", waitMsMax, () => owner.recordsOf(1).length === 10);
      expect(owner.assignments()).toBe(1);
    });

    it("shows a hole where records before the start are gone, and never goes back or ahead by itself", async () => {
      const { topic, producer, consumer, reader } = await made(2);
      const writer = await producer();
      for (const at of count(10)) await writer.publish(0, bytes(`${at}`));
      await writer.publish(1, bytes("0"));
      await subject.forget(topic, 0, 6n);
      const observer = await reader();
      expect((await observer.ranges()).get(0)).toMatchObject({ start: 6n, end: 10n });
      expect(offsets(await Array.fromAsync(observer.read(0, 0n, 10n)))).toEqual(count(4, 6));
      const owner = createOwner({ starts: (partition) => (partition === 0 ? 2n : 3n) });
      await (await consumer()).run(owner);
      await until("the kept ones delivered", waitMsMax, () => owner.recordsOf(0).length === 4);
      expect(offsets(owner.recordsOf(0))).toEqual(count(4, 6));
      // Partition 1 ends before the start it was asked for: nothing of it is given out until it gets there.
      for (const at of count(4, 1)) await writer.publish(1, bytes(`${at}`));
      await until("the start reached", waitMsMax, () => owner.recordsOf(1).length === 2);
      expect(offsets(owner.recordsOf(1))).toEqual([3, 4]);
    });

    it("is the same log when it is opened again, and another when its topic was made anew", async () => {
      const { topic, log, reader } = await made(2);
      const { identity } = await reader();
      expect(identity).toMatchObject({ topic, partitions: 2 });
      await log.create();
      const again = await (await subject.open(topic, 2)).reader();
      expect(again.identity).toEqual(identity);
      await again.close();
      await subject.remove(topic);
      const remade = await made(2, topic);
      expect((await remade.reader()).identity.id).not.toBe(identity.id);
    });

    it("refuses a topic that is missing or has another number of partitions", async () => {
      const missing = await subject.open(`topic-${randomUUID()}`);
      await expect(missing.producer()).rejects.toThrow(/is missing/);
      await expect(missing.consumer("aggregator")).rejects.toThrow(/is missing/);
      const { topic } = await made(2);
      const other = await subject.open(topic, 3);
      await expect(other.create()).rejects.toThrow(/has 2 partitions, not 3/);
      expect(await other.reader().catch((error: Error) => error.message)).toMatch(/has 2 partitions, not 3/);
    });

    it("takes positions for tools to look at and forgets nothing over them", async () => {
      const { consumer } = await made(1);
      const member = await consumer();
      expect(() => member.noted(0, 5n)).not.toThrow();
      const owner = createOwner();
      await member.run(owner);
      member.noted(0, 7n);
      await member.close();
      expect(() => member.noted(0, 9n)).not.toThrow();
    });
  });
}
