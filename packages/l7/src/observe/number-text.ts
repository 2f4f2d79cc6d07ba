/** Texts of 0 to 999 thousandths, without zeros at their end. */
const fractions: readonly string[] = Array.from({ length: 1000 }, (_, thousandth) =>
  thousandth === 0 ? '' : `.${String(thousandth).padStart(3, '0').replace(/0+$/, '')}`,
)

/** A number with at most three places behind the point, as JSON and people read it; cheaper than the exact one. */
export function thousandthsText(value: number): string {
  if (!(value >= 0 && value < 1e12)) return String(value)
  const whole = Math.floor(value)
  const rest = Math.round((value - whole) * 1000)
  return rest === 1000 ? String(whole + 1) : String(whole) + fractions[rest]!
}
