import { invalidOption } from './errors.ts'

/** A span of time: milliseconds as a number, or text such as `'500ms'`, `'5s'`, `'1m30s'`, `'2h'`, `'1d'`. */
export type Duration = number | string

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const whole = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/
const part = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g

/**
 * Milliseconds of a {@link Duration}; call it once at the edge.
 *
 * @param path - where the value stands, for the message.
 * @throws `invalid-option` when it is negative, not finite, or not a duration.
 */
export function parseDuration(value: Duration, path = 'duration'): number {
  if (typeof value === 'number') {
    if (Number.isFinite(value) && value >= 0) return value
    throw invalidOption(
      path,
      `${value} is not a duration: milliseconds must be finite and not negative`,
    )
  }
  const text = value.trim()
  if (!whole.test(text)) {
    throw invalidOption(
      path,
      `"${value}" is not a duration: write a number and a unit, such as 500ms, 5s, 1m30s or 2h`,
    )
  }
  let total = 0
  for (const [, amount, unit] of text.matchAll(part))
    total += Number(amount) * unitMs[unit as string]!
  return total
}

/** The shortest exact text of a number of milliseconds: `90000` → `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms * 1000) / 1000}ms`
  let rest = Math.round(ms)
  let text = ''
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const amount = Math.floor(rest / size)
    if (amount > 0) text += `${amount}${unit}`
    rest -= amount * size
  }
  return text
}
