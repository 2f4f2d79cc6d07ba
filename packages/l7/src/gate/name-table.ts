import { ascii } from '../wire/ascii.ts'
import { lowerOctet } from '../wire/octet-class.ts'

/** A set of field names that is asked by bytes. */
export interface NameTable {
  /** Is the name one of them, or does it begin as one of the prefixes? In any case of letters. */
  has(bytes: Uint8Array, start: number, end: number): boolean
}

const buckets = 64 * 32

/**
 * Makes a {@link NameTable}. The question costs no string: most names are told apart by their length and first
 * letter alone.
 *
 * @param names - in lower case, at most 63 characters each
 * @param prefixes - the same
 */
export function nameTable(names: readonly string[], prefixes: readonly string[] = []): NameTable {
  const byBucket: Uint8Array[][] = Array.from({ length: buckets }, () => none)
  for (const name of names) {
    const at = bucketOf(name.length, name.charCodeAt(0))
    byBucket[at] = [...byBucket[at]!, ascii(name)]
  }
  const byLetter: Uint8Array[][] = Array.from({ length: 32 }, () => none)
  for (const prefix of prefixes) {
    const at = prefix.charCodeAt(0) & 31
    byLetter[at] = [...byLetter[at]!, ascii(prefix)]
  }
  return Object.freeze({
    has(bytes: Uint8Array, start: number, end: number): boolean {
      const length = end - start
      if (length < 1) return false
      const first = bytes[start]!
      if (length < 64) {
        const bucket = byBucket[bucketOf(length, first)]!
        for (let i = 0; i < bucket.length; i++) {
          if (startsWith(bytes, start, bucket[i]!)) return true
        }
      }
      const begins = byLetter[first & 31]!
      for (let i = 0; i < begins.length; i++) {
        if (begins[i]!.length <= length && startsWith(bytes, start, begins[i]!)) return true
      }
      return false
    },
  })
}

const none: Uint8Array[] = []

function bucketOf(length: number, first: number): number {
  return length * 32 + (first & 31)
}

function startsWith(bytes: Uint8Array, start: number, letters: Uint8Array): boolean {
  for (let i = 0; i < letters.length; i++) {
    if (lowerOctet[bytes[start + i]!] !== letters[i]) return false
  }
  return true
}
