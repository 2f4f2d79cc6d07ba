import { invalidOption } from './errors.ts'
import { shown } from './shown.ts'

/** An amount of bytes: a number, or text such as `'64KiB'`, `'1MiB'`, `'10MB'`, `'1GiB'`. */
export type Size = number | string

const unitBytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

/**
 * Bytes of a {@link Size}; call it once at the edge.
 *
 * @throws `invalid-option` when it is negative, fractional bytes, or not a size.
 */
export function parseSize(value: Size, path = 'size'): number {
  let bytes: number
  if (typeof value === 'number') {
    bytes = value
  } else {
    // A caller without types may hand in anything.
    const match = /^(\d+(?:\.\d+)?)\s*([kKMG]i?B|B)?$/.exec(
      typeof value === 'string' ? value.trim() : '',
    )
    const unit = unitBytes[match?.[2] ?? 'B']
    bytes = match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit
  }
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes
  throw invalidOption(
    path,
    `${shown(value)} is not a size: write whole bytes or a unit, such as 16384, 64KiB, 1MiB or 10MB`,
  )
}
