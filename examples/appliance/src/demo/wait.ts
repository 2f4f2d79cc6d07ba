/** Waits until a condition holds; gives the time it took, or undefined when the limit passed. */
export async function until(
  condition: () => boolean,
  limitMs: number,
): Promise<number | undefined> {
  const from = performance.now()
  while (!condition()) {
    if (performance.now() - from > limitMs) return undefined
    await pause(10)
  }
  return performance.now() - from
}

/** Lets some time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
