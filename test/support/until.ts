// Waiting for a condition: never for luck, and never for ever.

/** Resolves once `holds` does; rejects after `msMax`, or at once where the question itself fails. */
export async function until(
  what: string,
  msMax: number,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + msMax;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
