import { setTimeout as pause } from 'node:timers/promises'

/** Looks again and again until what is seen matches, for what tells nobody when it happens; throws after 10 s. */
export async function eventually(
  look: () => string | Promise<string>,
  pattern: RegExp,
): Promise<void> {
  const until = performance.now() + 10_000
  for (;;) {
    const seen = await look()
    if (pattern.test(seen)) return
    if (performance.now() > until) throw new Error(`no ${String(pattern)} in: ${seen}`)
    await pause(25)
  }
}
