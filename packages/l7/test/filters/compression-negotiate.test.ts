import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compressibleTypes, contentTypes } from '../../src/filters/compression/content-types.ts'
import { negotiateCoding } from '../../src/filters/compression/negotiate.ts'
import { qualityList } from '../../src/filters/quality-list.ts'

const all = ['zstd', 'br', 'gzip'] as const

describe('Accept-Encoding', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'],
    ['gzip;q=0.5, br;q=0.501', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0', undefined],
    ['zstd;q=0, *', 'br'],
    ['gzip;q=0.2, *;q=0.1', 'gzip'],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip', 'gzip'],
    ['identity, gzip', 'gzip'],
    ['identity;q=0', undefined],
    ['deflate, compress', undefined],
    ['gzip;q=1.5', undefined],
    ['gzip;q=-1', undefined],
    ['gzip;q=0.1234', undefined],
    ['gzip;q=', undefined],
    ['gzip ; Q=0.7 , br ; q=0.7', 'br'],
    [',, gzip ,', 'gzip'],
    [';q=1', undefined],
  ])('%j → %s', (field, coding) => {
    expect(negotiateCoding(field, all)).toBe(coding)
  })

  it('leaves ties to the order of the server', () => {
    expect(negotiateCoding('br, gzip', ['gzip', 'br'])).toBe('gzip')
  })

  it('never gives what has weight 0, and reads any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (noise) => {
        const coding = negotiateCoding(`zstd;q=0,br;q=0.000,gzip;q=0.0,${noise}`, ['gzip'])
        // Noise may name it again, with more weight.
        if (!/gzip|\*/i.test(noise)) expect(coding).toBeUndefined()
      }),
    )
  })

  it('reads commas within quotes, and no more members than anybody needs', () => {
    expect(qualityList('a;x="1,2;q=0";q=0.5, b')).toEqual([
      { value: 'a', q: 500 },
      { value: 'b', q: 1000 },
    ])
    expect(qualityList('a,'.repeat(10_000))).toHaveLength(64)
  })
})

describe('content types', () => {
  const types = contentTypes(compressibleTypes, 'types')

  it.each([
    ['text/html; charset=utf-8', true],
    ['TEXT/CSS', true],
    ['application/json', true],
    ['application/problem+json', true],
    ['image/svg+xml', true],
    ['image/png', false],
    ['application/octet-stream', false],
    ['video/mp4', false],
    ['', false],
    ['text', false],
    ['textual/html', false],
    [undefined, false],
  ])('%j: %s', (type, expected) => {
    expect(types.has(type)).toBe(expected)
  })

  it('reads wildcards, and refuses what is none', () => {
    expect(contentTypes(['*/*'], 'types').has('image/png')).toBe(true)
    expect(contentTypes(['application/*+json'], 'types').has('text/x+json')).toBe(false)
    for (const bad of ['html', 'text/', '*/html', 'text/*html', 'a b/c', 'text/html;q=1']) {
      expect(() => contentTypes([bad], 'types')).toThrow(/types\[0\]/)
    }
  })
})
