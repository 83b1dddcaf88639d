// A buffer of Durable Objects, as the Worker in front of them sees it.
import { WeirError } from "../../shared/problem.ts";
import { packBatch } from "../../shared/wire/batch.ts";
import type { BatchBuffer, BufferState } from "./buffer.ts";

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
  };
}
