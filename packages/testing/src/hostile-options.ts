import { isSteelyardError } from '@steelyard/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** A factory that is to refuse wrong options in good order. */
export interface HostileOptionsCase {
  /** For the name of the test. */
  readonly name: string
  /** Arguments that it takes; each part of them, at any depth, is replaced with something wrong in turn. */
  readonly args: readonly unknown[]
  /** Calls the factory, and lets go of what it made. */
  readonly call: (...args: never[]) => unknown
}

const noText = { toString: '' }

/** What callers without types hand in, by mistake or with intent. */
const oddities: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  '',
  ' ',
  '\u0000\n\r\u001b[2J\u2028\u202e',
  'x'.repeat(100_000),
  '🐟'.repeat(80),
  0,
  -0,
  -1,
  0.5,
  NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  0n,
  10n ** 400n,
  Symbol('wrong\n'),
  Symbol.iterator,
  noText,
  Object.create(null),
  Object.freeze({ [Symbol.toPrimitive]: noText, length: -1 }),
  {
    toString() {
      throw new Error('asked for its text')
    },
    toJSON() {
      throw new Error('asked for its JSON')
    },
  },
  [],
  [undefined],
  [null],
  [noText],
  [[]],
  () => undefined,
  Map,
  /x/,
  new Map(),
  new Uint8Array(3),
  new ArrayBuffer(3),
  Promise.resolve(),
  revoked(),
]

/**
 * The promise that every factory gives to callers without types: whatever it is handed, it makes something or throws
 * an error of source `config`, with a message of one line and bounded length; never a `TypeError` from somewhere within. What the
 * options' own getters throw is not its affair, and not part of this.
 */
export function hostileOptionsSuite(cases: readonly HostileOptionsCase[]): void {
  const anything = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  })
  describe('options of any kind are taken or refused in good order', () => {
    it.each(cases.map((one) => [one.name, one] as const))('%s', (_, one) => {
      expect(() => one.call(...(one.args as never[]))).not.toThrow()
      const places = one.args.flatMap((arg, index) => placesIn(arg, [index]))
      for (const place of places) for (const odd of oddities) attempt(one, place, odd)
      fc.assert(
        fc.property(fc.constantFrom(...places), anything, (place, value) =>
          attempt(one, place, value),
        ),
      )
    })
  })
}

type Place = readonly (string | number)[]

function attempt({ args, call }: HostileOptionsCase, place: Place, value: unknown): void {
  try {
    call(...(replaced(args, place, value) as never[]))
  } catch (error) {
    const where = place.join('.')
    if (!isSteelyardError(error)) {
      throw new Error(`threw ${(error as Error)?.stack} for ${where}`, { cause: error })
    }
    expect({ where, source: error.source }).toEqual({ where, source: 'config' })
    expect(error.message).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
    // A text that was handed in may say anything, in quotes.
    const ours = error.message.replace(/"(?:[^"\\]|\\.)*"/g, '""')
    expect(ours).not.toMatch(/\[object|function ?\(|=>/)
    expect(error.message.length).toBeLessThan(2300)
  }
}

/** The whole, and each part of it. Objects with a class, a pool for instance, are one part. */
function placesIn(options: unknown, at: Place): Place[] {
  const isPlain =
    Array.isArray(options) ||
    (typeof options === 'object' &&
      options !== null &&
      Object.getPrototypeOf(options) === Object.prototype &&
      !Object.values(options).some((value) => typeof value === 'function'))
  if (!isPlain) return [at]
  const below = Object.entries(options as object).flatMap(([name, value]) =>
    placesIn(value, [...at, Array.isArray(options) ? Number(name) : name]),
  )
  return [at, ...below]
}

function replaced(whole: unknown, [first, ...rest]: Place, value: unknown): unknown {
  if (first === undefined) return value
  if (Array.isArray(whole)) {
    return whole.map((item: unknown, index) =>
      index === first ? replaced(item, rest, value) : item,
    )
  }
  const part = (whole as Record<string, unknown>)[first]
  return { ...(whole as object), [first]: replaced(part, rest, value) }
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
