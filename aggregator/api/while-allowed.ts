// A stream of answers that ends when whoever reads it may no longer.

/**
 * Passes `body` on, and asks `isAllowed` every `everyMs`: where that rejects, the stream ends, and its source is
 * cancelled. Whoever was cut off asks again and is told why.
 */
export function whileAllowed(
  body: ReadableStream<Uint8Array>,
  isAllowed: () => Promise<unknown>,
  everyMs: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let timer: ReturnType<typeof setInterval> | undefined;
  const end = (): void => clearInterval(timer);
  return new ReadableStream<Uint8Array>({
    start() {
      timer = setInterval(() => {
        // A read that waits is answered as the end of the source.
        isAllowed().catch(() => reader.cancel().catch(() => {}));
      }, everyMs);
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
}
