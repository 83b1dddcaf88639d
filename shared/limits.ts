// Every bound of the pipeline in one place, each with the arithmetic that chose it.

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A request body, packed or unpacked. 1,000 events at the 1 KB median leave no slack for abuse. */
export const bodyBytesMax: number = 1024 * 1024;
/** Bodies being read at once in one edge: 64 of the largest, or a thousand of 64 KiB. */
export const bodiesBytesMax: number = 64 * bodyBytesMax;
/** Events in one request: two full batches, so one request costs at most two records. */
export const requestEventsMax = 1_000;
/** Events in one request of a client of another product: what Segment takes, the most of them all. */
export const clientEventsMax = 2_500;
/** One event. Larger content belongs in an object store, with a reference in the payload. */
export const eventBytesMax: number = 64 * 1024;
/** Levels of objects and arrays in one event; past it recursion, not data, is what grows. */
export const nestingMax = 32;
/** An identifier or a type, in UTF-16 units: index entries stay far below PostgreSQL's 2,704 bytes. */
export const identifierLengthMax = 256;

/** Events in one batch: 500 are one claim script call and one record; more only lengthens the wait. */
export const batchEventsMax = 500;
/** Packed bytes in one batch. A record is the batch and its receipt, so 4 MiB records hold it twice. */
export const batchBytesMax: number = 2 * 1024 * 1024;
/** How long a request waits for others to share its batch. */
export const batchWaitMs = 5;
/** Batches an edge instance holds at once: 64 × 2 MiB = 128 MiB, the memory of one Worker isolate. */
export const batchesInFlightMax = 64;
/** One record of the log; the topic's max.message.bytes. */
export const recordBytesMax: number = 4 * 1024 * 1024;

/** How far back a client's time may lie (without the right `historical`), and how far ahead. */
export const timeBackMs: number = 30 * DAY_MS;
export const timeAheadMs: number = 10 * MINUTE_MS;
/** A client clock is taken as wrong when `sent_at` and `received_at` differ by more than this. */
export const clockWrongMs: number = 10 * MINUTE_MS;
/** The window of the `window` identity, where a schema names no other. */
export const identityWindowMs: number = 5 * MINUTE_MS;

/** A claim's lease: above the longest publish (deadline 10 s, twice) plus one pause of the collector. */
export const claimLeaseMs: number = 30 * SECOND_MS;
/** How long a settled claim answers for its event: client retries come within seconds to minutes. */
export const claimDoneMs: number = 300 * SECOND_MS;
/** How long a claim call may take before the batch goes on unchecked. */
export const claimDeadlineMs: number = SECOND_MS;
/** Our own deadline for one publish; the client library would wait 68 s. */
export const publishDeadlineMs: number = 10 * SECOND_MS;
/** Bytes waiting for the log in one process: 64 records of the largest size. */
export const publishBytesMax: number = 64 * recordBytesMax;
/** How long the log keeps a record, read or not. A file holds at most so many days of events. */
export const logRetentionMs: number = 7 * DAY_MS;
/** How long a spool, an edge's buffer or a resend may hold a batch back; a collector refuses an older one. */
export const batchAgeMs: number = 7 * DAY_MS;
/** Days a batch's id is known: those of the log, and as many for what a spool, an edge or a resend holds back. */
export const ledgerDays: number = (logRetentionMs + batchAgeMs) / DAY_MS;
/** How far a batch's signature may lie from the collector's clock, either way. */
export const signatureAgeMs: number = 5 * MINUTE_MS;

/** Partitions of `weir.events`, fixed for the topic's life. */
export const eventPartitions = 24;
/** Events in one write transaction: past 10,000 rows COPY gains nothing and a conflict costs more. */
export const writeEventsMax = 10_000;
/** Events of one partition in one write transaction, so that the next rows are made while it commits. */
export const writePieceEventsMax = 5_000;
/** Packed bytes in one write transaction: its rows, and what PostgreSQL holds of them, stay below 100 MiB. */
export const writeBytesMax: number = 16 * 1024 * 1024;
/** How long the aggregator gathers records for one transaction when fewer are waiting. */
export const writeWaitMs = 20;
/** A statement of the write path; the fence ends older sessions long before. */
export const writeStatementMs: number = 30 * SECOND_MS;
/** A statement that reads a whole day anew: some ten million events, at 40 µs each in all models. */
export const dayStatementMs: number = 15 * MINUTE_MS;
/** A statement of a question. */
export const queryStatementMs: number = 10 * SECOND_MS;
/** Rows in one answer. */
export const queryRowsMax = 10_000;

/** One attempt to hand a batch over: above the collector's own publish deadline and claim deadline. */
export const forwardDeadlineMs: number = 12 * SECOND_MS;
/** All attempts of one batch together: two thirds of the claim lease, so that a resend finds it. */
export const forwardBudgetMs: number = 20 * SECOND_MS;
/** Attempts within that budget. */
export const forwardAttemptsMax = 4;
/** How often an edge asks for its keys: a new key works, and a revoked one ends, within this time. */
export const keysPollMs: number = 30 * SECOND_MS;
/** Keys an edge holds, and so rate limits too: 100,000 × some 300 bytes = 30 MB. */
export const keysMax = 100_000;
/** Versions of governed types of one project: some 2 KB each, so that 4 MB of them fit into an isolate. */
export const governedTypesMax = 2_000;
/** One declared schema as JSON text. */
export const schemaBytesMax: number = 64 * 1024;
/** Ranges of numbers a stream's row holds: some 20 bytes each, so 20 KB a row that each write makes anew. */
export const streamRangesMax = 1_000;
/** Days of which closed figures are told and corrected: 35 × 25 figures a project, past what log and spools hold back. */
export const toldDays = 35;
/** The pause before told figures are looked at again, which doubles up to the second where they keep changing. */
export const correctionMs: number = 15 * MINUTE_MS;
export const correctionMsMax: number = 4 * 60 * MINUTE_MS;
/** Notices of figures that wait for the log before no more are made: 10,000 × some KB; none is lost, they come later. */
export const noticesWaitingMax = 10_000;
/** Days a notice is kept after it went out: as long as the log keeps it. */
export const noticeDays: number = logRetentionMs / DAY_MS;
