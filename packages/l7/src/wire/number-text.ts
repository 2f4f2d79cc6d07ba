/** Writes a whole number from 0 to 2^53 - 1 in decimal digits; returns the offset behind. At most 16 bytes. */
export function putDecimal(into: Uint8Array, at: number, value: number): number {
  // Beyond 31 bits, or no whole number at all.
  if ((value | 0) !== value || value < 0) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no length`)
    const low = value % 1_000_000_000
    const end = putDecimal(into, at, (value - low) / 1_000_000_000)
    let rest = low
    for (let i = end + 8; i >= end; i--) {
      into[i] = 0x30 + (rest % 10)
      rest = (rest / 10) | 0
    }
    return end + 9
  }
  let end = at + 1
  for (let rest = (value / 10) | 0; rest > 0; rest = (rest / 10) | 0) end += 1
  let rest = value
  for (let i = end - 1; i >= at; i--) {
    into[i] = 0x30 + (rest % 10)
    rest = (rest / 10) | 0
  }
  return end
}

const digits = '0123456789abcdef'

/** Writes a whole number from 0 to 2^32 - 1 in hexadecimal digits; returns the offset behind. At most 8 bytes. */
export function putHex(into: Uint8Array, at: number, value: number): number {
  if (!(value >= 0) || value > 0xffffffff) throw new RangeError(`${value} is no chunk's length`)
  let end = at + 1
  for (let rest = value >>> 4; rest > 0; rest >>>= 4) end += 1
  let rest = value >>> 0
  for (let i = end - 1; i >= at; i--) {
    into[i] = digits.charCodeAt(rest & 15)
    rest >>>= 4
  }
  return end
}
