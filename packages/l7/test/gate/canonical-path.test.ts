import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalPath,
  canonicalPathOf,
  cleanPathEnd,
  type PathPolicy,
} from '../../src/gate/canonical-path.ts'
import { bytesOf } from './requests.ts'

const reject: PathPolicy = { encodedSlash: 'reject', mergeSlashes: false }
const keep: PathPolicy = { encodedSlash: 'keep', mergeSlashes: false }
const decode: PathPolicy = { encodedSlash: 'decode', mergeSlashes: false }
const merge: PathPolicy = { encodedSlash: 'reject', mergeSlashes: true }

/** The path that is used: as it is when the quick look is content, else as worked out. */
function used(text: string, policy: PathPolicy): string | undefined {
  const bytes = bytesOf(text)
  const worked = canonicalPath(bytes, 0, bytes.length, policy)
  const clean = cleanPathEnd(bytes, 0, bytes.length, policy.mergeSlashes)
  // The quick look may be content only with what the long one leaves alone.
  if (clean === bytes.length) expect(worked).toBe(text)
  return typeof worked === 'string' ? worked : undefined
}

describe('the one form of a path', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['/.', '/'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/a/%2e/b', '/a/b'],
    ['/...', '/...'],
    ['/..a', '/..a'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a..', '/a..'],
    ['/%41%7a%2D%5f%7E', '/Az-_~'],
    ['/%e4%bd%a0', '/%E4%BD%A0'],
    ['/%20%25', '/%20%25'],
    ['/%252e%252ea/', '/%252e%252ea/'],
    ['/%252fa/%2525', '/%252fa/%2525'],
    ['/a;x=1/b;y', '/a;x=1/b;y'],
    ['/%3B', '/%3B'],
    ['//host/x', '//host/x'],
    ['/a//b', '/a//b'],
    ['/a//../b', '/a/b'],
    ['//..', '/'],
    ['/{a}|"<>^`[]', '/%7Ba%7D%7C%22%3C%3E%5E%60%5B%5D'],
    ["/!$&'()*+,=:@", "/!$&'()*+,=:@"],
    // Not looked into: what encoding it is in is the backend's affair.
    ['/%c0%ae%c0%ae/', '/%C0%AE%C0%AE/'],
  ])('%s is %s', (text, form) => {
    expect(used(text, reject)).toBe(form)
  })

  it.each([
    '',
    'a',
    '*',
    '/..',
    '/../a',
    '/a/../../b',
    '/%2e%2e/',
    '/%252e%252e/',
    '/a/.%252e/b',
    '/a/%252e',
    '/a/%25252E./b',
    '/a/..%252fb',
    '/a%252f..%252fb',
    '/a/..%255cb',
    '/a/..%3Bx/b',
    '/a/..%253b/b',
    '/%2e%2e%2f',
    '/a\\..\\b',
    '/a%5cb',
    '/a%5Cb',
    '/%00',
    '/a%0d%0aX:1',
    '/%1f',
    '/%7F',
    '/%',
    '/%4',
    '/%4g',
    '/%u002e',
    '/%%41',
    '/a b',
    '/a\tb',
    '/\u007f',
    '/\u00fc',
    '/a?b',
    '/a#b',
    '/..;/admin',
    '/a/..;x=1/admin',
    '/.;/admin',
    '/%2e%2e;/admin',
    '/a%2Fb',
  ])('refuses %j', (text) => {
    expect(used(text, reject)).toBeUndefined()
  })

  it('keeps encoded slashes, but not those that hide dots', () => {
    expect(used('/a%2fb/c', keep)).toBe('/a%2Fb/c')
    expect(used('/group%2Fsub%2Fproject', keep)).toBe('/group%2Fsub%2Fproject')
    for (const text of ['/a/..%2fb', '/a%2F..', '/a%2F.%2Fb', '/a%2f%2e%2e%2fb', '/a%2F..;x']) {
      expect(used(text, keep)).toBeUndefined()
    }
    expect(used('/a%2F..b%2F.c', keep)).toBe('/a%2F..b%2F.c')
  })

  it('decodes encoded slashes before dots are resolved', () => {
    expect(used('/a%2fb', decode)).toBe('/a/b')
    expect(used('/a/b%2f..%2fc', decode)).toBe('/a/c')
    expect(used('/%2fhost', decode)).toBe('//host')
    expect(used('/a%2f..%2f..%2fb', decode)).toBeUndefined()
  })

  it('merges slashes', () => {
    expect(used('//a///b//', merge)).toBe('/a/b/')
    expect(used('//', merge)).toBe('/')
    expect(used('/a//./b', merge)).toBe('/a/b')
    expect(used('/a//..', merge)).toBe('/')
    expect(used('//..', merge)).toBeUndefined()
  })

  it('of a text escapes what is not ASCII', () => {
    expect(canonicalPathOf('/bücher/..', reject)).toBe('/')
    expect(canonicalPathOf('/b\u00fccher', reject)).toBe('/b%C3%BCcher')
    expect(canonicalPathOf('/\u{1f600}', reject)).toBe('/%F0%9F%98%80')
    expect(canonicalPathOf('/\u007f', reject)).toMatchObject({ status: 400 })
    expect(canonicalPathOf('/a b', reject)).toMatchObject({ status: 400 })
  })
})

describe('every path', () => {
  const piece = fc.constantFrom(
    ...[
      '/',
      '/',
      '.',
      '..',
      'a',
      'B',
      '%2e',
      '%2E',
      '%2f',
      '%2F',
      '%5c',
      '%41',
      '%25',
      '%c3',
      ';',
      '~',
    ],
    ...['%', '%u', '{', '\\', '%00', '=', '%3b', '//', '[', '\u00ff', '0'],
  )
  const path = fc.array(piece, { maxLength: 20 }).map((pieces) => `/${pieces.join('')}`)
  const policies = fc.constantFrom(reject, keep, decode, merge)

  it('is its own form once it has it', () => {
    let good = 0
    fc.assert(
      fc.property(path, policies, (text, policy) => {
        const once = used(text, policy)
        if (once === undefined) return
        good += 1
        expect(used(once, policy)).toBe(once)
      }),
      { numRuns: 5000 },
    )
    expect(good).toBeGreaterThan(500)
  })

  it('has no dot segments, also for those who decode or strip more', () => {
    fc.assert(
      fc.property(path, policies, (text, policy) => {
        const form = used(text, policy)
        if (form === undefined) return
        expect(form[0]).toBe('/')
        const stripped = form.replaceAll(/%2F/gi, '/').replaceAll(/%2e/gi, '.')
        for (const segment of stripped.split('/')) {
          expect(['.', '..']).not.toContain(segment.replace(/;.*/, ''))
        }
        expect(form).toMatch(/^[!$&'()*+,;=:@\w.~%/-]*$/)
        expect(form).not.toMatch(/%(?![\dA-F]{2})/)
      }),
      { numRuns: 5000 },
    )
  })

  it('is what URL makes of it, where both know it', () => {
    const plain = fc.constantFrom(
      '/',
      '/',
      'a',
      'b.c',
      '.',
      '..',
      '...',
      'x',
      '-',
      '%2e',
      '%2E',
      '%20',
    )
    const plainPath = fc.array(plain, { maxLength: 14 }).map((pieces) => `/${pieces.join('')}`)
    let compared = 0
    fc.assert(
      fc.property(plainPath, (text) => {
        const form = used(text, reject)
        if (form === undefined) {
          // URL stays at the root where we refuse.
          expect(text).toMatch(/(?:\.|%2e){2}/i)
          return
        }
        compared += 1
        // URL keeps `%2e` within names, where it is a dot all the same.
        expect(new URL(`http://h${text}`).pathname.replaceAll(/%2e/gi, '.')).toBe(form)
      }),
      { numRuns: 5000 },
    )
    expect(compared).toBeGreaterThan(1000)
  })

  it('of random bytes comes to a path or a problem', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), policies, (bytes, policy) => {
        const all = Uint8Array.of(0x2f, ...bytes)
        const form = canonicalPath(all, 0, all.length, policy)
        if (typeof form === 'string') expect(used(form, policy)).toBe(form)
        else expect(form.status).toBe(400)
      }),
      { numRuns: 3000 },
    )
  })
})
