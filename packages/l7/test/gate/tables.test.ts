import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claimNames, claimPrefixes } from '../../src/gate/claimed-fields.ts'
import { Alias, aliasKind } from '../../src/gate/field-alias.ts'
import { nameTable } from '../../src/gate/name-table.ts'
import { Recent } from '../../src/gate/recent.ts'
import { isForbiddenTrailer } from '../../src/wire/trailer-names.ts'
import { bytesOf } from './requests.ts'

describe('what came lately', () => {
  it('is found by its bytes, as it was kept last, or not at all', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.nat()), { maxLength: 60 }), text, (kept, asked) => {
        const recent = new Recent<number>(8, 8)
        for (const [key, value] of kept) recent.keep(bytesOf(key), 0, key.length, value)
        const last = kept.findLast(([key]) => key === asked)?.[1]
        const found = recent.find(bytesOf(`x${asked}y`), 1, asked.length + 1)
        if (found !== undefined) expect(found).toBe(last)
        if (asked === '' || asked.length > 8) expect(found).toBeUndefined()
        if (kept.at(-1)?.[0] === asked && asked !== '' && asked.length <= 8)
          expect(found).toBe(last)
      }),
    )
  })
})

describe('a table of names', () => {
  const names = ['x-real-ip', 'x-real-id', 'te', 'x'.repeat(63)]
  const table = nameTable(names, ['x-fwd-', 'y'])
  const has = (text: string): boolean => {
    const bytes = bytesOf(`:${text}:`)
    return table.has(bytes, 1, bytes.length - 1)
  }

  it('knows its names in any case, and what begins as its prefixes', () => {
    for (const name of [
      ...names,
      'X-REAL-IP',
      'Te',
      'X-Fwd-',
      'x-fwd-for',
      'Y',
      `y${'z'.repeat(100)}`,
    ]) {
      expect([name, has(name)]).toEqual([name, true])
    }
  })

  it('knows no others', () => {
    for (const name of [
      '',
      'x-real-i',
      'x-real-ipp',
      'x_real-ip',
      'x-fwd',
      'x'.repeat(64),
      '\u0094e',
    ]) {
      expect([name, has(name)]).toEqual([name, false])
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const lower = text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
        expect(has(text)).toBe(
          names.includes(lower) || lower.startsWith('x-fwd-') || lower.startsWith('y'),
        )
      }),
    )
  })
})

describe('an alias', () => {
  it.each([
    ['Content-Length', Alias.none],
    ['X-Forwarded-For', Alias.none],
    ['X-Any', Alias.none],
    ['a', Alias.none],
    ['X.Any', Alias.none],
    ['X--Any', Alias.none],
    ['_', Alias.underscore],
    ['X_Any', Alias.underscore],
    ['X_Forwarded_For', Alias.trusted],
    ['x-forwarded_anything', Alias.trusted],
    ['x~real!ip', Alias.trusted],
    ['_Authorization', Alias.trusted],
    ['X_SSL_Client_CN', Alias.trusted],
    ['CONTENT_LENGTH', Alias.framing],
    ['Transfer-_-Encoding', Alias.framing],
    ['host-', Alias.framing],
  ])('%s: %d', (name, kind) => {
    expect(aliasKind(bytesOf(name), 0, name.length)).toBe(kind)
  })
})

describe('what a request claims about its client', () => {
  it.each([...claimNames, ...claimPrefixes.map((prefix) => `${prefix}any`)])(
    'does not come behind the body: %s',
    (name) => {
      for (const written of [name, name.toUpperCase(), name.replaceAll('-', '_'), `_${name}-`]) {
        expect(isForbiddenTrailer(written), written).toBe(true)
      }
      expect(isForbiddenTrailer(name.replaceAll('-', '.'))).toBe(true)
    },
  )

  it('is not what trailers are for', () => {
    const names = [
      'x-sum',
      'grpc-status',
      'grpc-message',
      'server-timing',
      'digest',
      'etag',
      'x-sslide',
    ]
    expect(names.filter(isForbiddenTrailer)).toEqual([])
  })
})
