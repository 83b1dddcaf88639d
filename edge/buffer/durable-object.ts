// A buffer of Durable Objects, as the Worker in front of them sees it.
import { WeirError } from "../../shared/problem.ts";
import { packBatch } from "../../shared/wire/batch.ts";
import type { BatchBuffer, BufferedBatch, BufferState } from "./buffer.ts";
import { listMax } from "./object-buffer.ts";

/** What of a namespace of Durable Objects is used. */
export interface ObjectNamespace {
  idFromName(name: string): unknown;
  get(id: never): { fetch(address: string, init?: RequestInit): Promise<Response> };
}

// Objects have no address; a request to one needs the form of it.
const address = "https://buffer";

/** Spreads batches over `objects` objects by their ids; fewer of them later leave none behind, since each drains itself. */
export function durableObjectBuffer(namespace: ObjectNamespace, objects: number): BatchBuffer {
  const objectOf = (index: number) => namespace.get(namespace.idFromName(`buffer-${index}`) as never);
  return {
    async put(batch) {
      const body = packBatch(batch) as Uint8Array<ArrayBuffer>;
      const object = objectOf(batch.batchId[15]! % objects);
      const response = await object.fetch(`${address}/batches`, { method: "POST", body }).catch((cause) => {
        throw new WeirError("log_unavailable", "Neither collector nor buffer can be reached.", { cause });
      });
      await response.arrayBuffer();
      if (response.status === 507)
        throw new WeirError("overloaded", "The collector is away and the buffer is full.");
      if (!response.ok)
        throw new WeirError("log_unavailable", "The collector is away and the buffer failed.");
    },
    states: () =>
      Promise.all(
        Array.from({ length: objects }, async (_, index) => {
          const response = await objectOf(index).fetch(`${address}/state`);
          return (await response.json()) as BufferState;
        }),
      ),
    async list(cursor = "0.0") {
      const [, index = "0", after = "0"] = /^(\d{1,3})\.(\d{1,15})$/.exec(cursor) ?? [];
      const at = Number(index);
      if (at >= objects) return { data: [], cursor: null };
      const response = await objectOf(at).fetch(`${address}/list?after=${after}`);
      const { batches, last } = (await response.json()) as { batches: BufferedBatch[]; last: number };
      if (batches.length === listMax) return { data: batches, cursor: `${at}.${last}` };
      return { data: batches, cursor: at + 1 < objects ? `${at + 1}.0` : null };
    },
  };
}
