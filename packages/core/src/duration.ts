import { invalidOption } from './errors.ts'
import { shown } from './shown.ts'

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
      `${shown(value)} is not a duration: milliseconds must be finite and not negative`,
    )
  }
  const text = typeof value === 'string' ? value.trim() : ''
  let total = whole.test(text) ? 0 : Number.NaN
  for (const [, amount, unit] of text.matchAll(part))
    total += Number(amount) * unitMs[unit as string]!
  if (!Number.isFinite(total)) {
    throw invalidOption(
      path,
      `${shown(value)} is not a duration: write a number and a unit, such as 500ms, 5s, 1m30s or 2h`,
    )
  }
  // 1.005s is 1005 and not 1004.9999999999999: nobody means less than a nanosecond.
  return Number.isInteger(total) || total > 1e9 ? total : Math.round(total * 1e6) / 1e6
}

/** The shortest text of a number of milliseconds, exact to the microsecond: `90000` → `1m30s`. */
export function formatDuration(ms: number): string {
  const micros = Math.round((ms - Math.floor(ms)) * 1000)
  let rest = Math.floor(ms) + (micros === 1000 ? 1 : 0)
  const fraction = micros % 1000
  if (rest < 1000) return `${(rest * 1000 + fraction) / 1000}ms`
  let text = ''
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const amount = Math.floor(rest / size)
    rest -= amount * size
    const told = unit === 'ms' && fraction > 0 ? (amount * 1000 + fraction) / 1000 : amount
    if (told > 0) text += `${told}${unit}`
  }
  return text
}
