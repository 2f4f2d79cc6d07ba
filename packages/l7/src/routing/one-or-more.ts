/** What may be given alone or as a list, as a list; what is neither is left for the reader of one to refuse. */
export function oneOrMore<T>(value: T | readonly T[]): readonly T[] {
  return isArray(value) ? value : [value]
}

/** `Array.isArray`, but false for a revoked proxy, where that throws. */
function isArray<T>(value: T | readonly T[]): value is readonly T[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}
