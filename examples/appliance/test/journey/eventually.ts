import { setTimeout as pause } from 'node:timers/promises'

/**
 * Asks again and again until the answer is neither undefined nor false, and gives it; fails with the
 * last state of things when that takes too long.
 */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  options: { readonly withinMs?: number; readonly state?: () => unknown } = {},
): Promise<Exclude<T, undefined | false>> {
  const { withinMs = 10_000, state } = options
  const deadline = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    if (performance.now() > deadline) {
      const found = state === undefined ? '' : `; it is ${JSON.stringify(await state())}`
      throw new Error(`within ${withinMs} ms it did not come about that ${what}${found}`)
    }
    await pause(10)
  }
}
