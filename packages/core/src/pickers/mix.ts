import { hashText } from '../hash.ts'

/**
 * A 32-bit number (signed) that depends on each bit of three: a key and the two halves of a
 * member's {@link Salts | salt}. Two rounds of multiply and shift, with the salt's halves added at
 * different depths, so that members whose first half collides are still told apart.
 */
export function mix32(key: number, saltA: number, saltB: number): number {
  let h = key ^ saltA
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad) ^ saltB
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
  return h ^ (h >>> 15)
}

/**
 * 64 bits of identity for each member, made of its id alone: the same on every node, whatever slot
 * it has.
 */
export interface Salts {
  readonly a: Int32Array
  readonly b: Int32Array
}

/** The {@link Salts} of these members. */
export function saltsOf(ids: readonly string[]): Salts {
  return {
    a: Int32Array.from(ids, (id) => hashText(id)),
    b: Int32Array.from(ids, (id) => hashText(id, 0x5bd1e995)),
  }
}
