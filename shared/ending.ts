// Things begun one after another and ended in the opposite order, also where a later one fails to begin.

/** What has begun so far; each entry ends one thing. */
export type Ends = (() => Promise<unknown>)[];

/** Runs `begin`, and answers what it made with a `close` that ends everything, last begun first. */
export async function ending<T extends object>(
  begin: (ends: Ends) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const ends: Ends = [];
  const close = async (): Promise<void> => {
    let failure: { error: unknown } | undefined;
    for (const end of ends.splice(0).reverse()) {
      await end().catch((error: unknown) => {
        failure ??= { error };
      });
    }
    if (failure !== undefined) throw failure.error;
  };
  try {
    return { ...(await begin(ends)), close };
  } catch (error) {
    await close();
    throw error;
  }
}
