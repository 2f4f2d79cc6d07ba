import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { asUpgrade, readRequest, readTrailers } from '../../../src/client/h2/request-lines.ts'
import { Head } from '../../../src/wire/head.ts'
import type { HeadProblem } from '../../../src/wire/head-problem.ts'
import { RequestHead, unknownLength } from '../../../src/wire/request-head.ts'

type Fields = readonly (readonly [string, string])[]

const base: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'a.example'],
]

function read(
  fields: Fields,
  bodyless = true,
): { head: RequestHead; problem: HeadProblem | undefined } {
  const head = new RequestHead()
  const problem = readRequest(fields.flat(), bodyless, head, { maxPairs: 100 })
  return { head, problem }
}

test('a good head', () => {
  const { head, problem } = read([...base, ['x-a', '1'], ['content-length', '5']], false)
  expect(problem).toBeUndefined()
  expect([head.method, head.version, head.rawTarget, head.targetScheme, head.bodyLength]).toEqual([
    'GET',
    20,
    '/',
    'https',
    5,
  ])
  expect([...head]).toEqual([
    ['host', 'a.example'],
    ['x-a', '1'],
    ['content-length', '5'],
  ])
})

test('the length: 0 with END_STREAM, unknown without', () => {
  expect(read(base).head.bodyLength).toBe(0)
  expect(read(base, false).head.bodyLength).toBe(unknownLength)
  expect(read([...base, ['content-length', '0']]).head.bodyLength).toBe(0)
})

const without = (name: string): Fields => base.filter(([key]) => key !== name)

test.each<readonly [string, Fields, number]>([
  ['no :method', without(':method'), 400],
  ['no :scheme', without(':scheme'), 400],
  ['no :path', without(':path'), 400],
  ['empty :path', [...without(':path'), [':path', '']], 400],
  ['junk in :scheme', [...without(':scheme'), [':scheme', 'https://x/?']], 400],
  ['two :path', [...base, [':path', '/b']], 400],
  ['an unknown pseudo-field', [...base, [':version', 'x']], 400],
  [':status', [...base, [':status', '200']], 400],
  ['a late pseudo-field', [...base, ['a', 'b'], [':path', '/b']], 400],
  ['CR LF in :path', [...without(':path'), [':path', '/a\r\nx: y']], 400],
  ['NUL in :authority', [...without(':authority'), [':authority', 'a\0b']], 400],
  ['upper case', [...base, ['X-A', '1']], 400],
  ['an empty name', [...base, ['', '1']], 400],
  ['a colon in a name', [...base, ['a:b', '1']], 400],
  ['a space in a name', [...base, ['a b', '1']], 400],
  ['CR LF in a name', [...base, ['a\r\nb', '1']], 400],
  ['8 bits in a name', [...base, ['\xe9', '1']], 400],
  ['LF in a value', [...base, ['a', '1\nb: 2']], 400],
  ['CR in a value', [...base, ['a', '1\r2']], 400],
  ['NUL in a value', [...base, ['a', '1\x002']], 400],
  ['DEL in a value', [...base, ['a', '1\x7f']], 400],
  ['a leading space', [...base, ['a', ' 1']], 400],
  ['a trailing tab', [...base, ['a', '1\t']], 400],
  ['Connection', [...base, ['connection', 'close']], 400],
  ['Keep-Alive', [...base, ['keep-alive', '1']], 400],
  ['Proxy-Connection', [...base, ['proxy-connection', 'x']], 400],
  ['Transfer-Encoding', [...base, ['transfer-encoding', 'chunked']], 400],
  ['Upgrade', [...base, ['upgrade', 'h2c']], 400],
  ['HTTP2-Settings', [...base, ['http2-settings', 'AAAA']], 400],
  ['TE gzip', [...base, ['te', 'gzip']], 400],
  ['Host and :authority differ', [...base, ['host', 'b.example']], 400],
  ['two content-lengths', [...base, ['content-length', '0'], ['content-length', '0']], 400],
  ['a signed content-length', [...base, ['content-length', '+5']], 400],
  ['an empty content-length', [...base, ['content-length', '']], 400],
  ['a huge content-length', [...base, ['content-length', '9007199254740993']], 400],
  ['a content-length without a body', [...base, ['content-length', '5']], 400],
  ['an unknown method', [...without(':method'), [':method', 'BREW']], 501],
  ['a method in lower case', [...without(':method'), [':method', 'get']], 501],
  [
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
    ],
    405,
  ],
  [':protocol with GET', [...base, [':protocol', 'websocket']], 400],
  [
    'a tunnel with a content-length',
    [
      ...without(':method'),
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      ['content-length', '0'],
    ],
    400,
  ],
])('%s is refused', (_, fields, status) => {
  // Pseudo-fields come first, as they would from a client that does only the one thing wrong.
  expect(read(fields).problem?.status).toBe(status)
})

test('101 fields are too many, also when all are crumbs of one cookie', () => {
  const crumbs: Fields = Array.from({ length: 101 }, (_, i) => ['cookie', `c${i}=1`] as const)
  expect(read([...base, ...crumbs]).problem).toMatchObject({ status: 431, code: 'head-too-large' })
  const { head, problem } = read([...base, ...crumbs.slice(1)])
  expect(problem).toBeUndefined()
  expect(head.count).toBe(2)
})

test('extended CONNECT becomes an upgrade', () => {
  const { head, problem } = read(
    [
      [':method', 'CONNECT'],
      [':protocol', 'WebSocket'],
      ...without(':method'),
      ['sec-websocket-key', 'from the client'],
    ],
    false,
  )
  expect(problem).toBeUndefined()
  asUpgrade(head, () => 'key')
  expect([head.method, head.upgrade, head.bodyLength]).toEqual(['GET', 'websocket', 0])
  expect([...head]).toEqual([
    ['host', 'a.example'],
    ['upgrade', 'websocket'],
    ['sec-websocket-key', 'key'],
  ])
})

test('trailers', () => {
  const head = new Head()
  expect(readTrailers(['grpc-status', '0', 'host', 'x', 'content-length', '1'], head)).toBe(true)
  expect([...head]).toEqual([['grpc-status', '0']])
  for (const [name, value] of [
    [':path', '/'],
    ['X-A', '1'],
    ['a', '1\r\nb: 2'],
    ['connection', 'x'],
    ['transfer-encoding', 'chunked'],
  ] as const) {
    expect(readTrailers([name, value], new Head())).toBe(false)
  }
})

test('whatever the fields, the lines that pass are lines of HTTP/1.1 with nothing between them', () => {
  const char = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
  const text = fc.array(char, { maxLength: 6 }).map((chars) => chars.join(''))
  const name = fc.oneof(text, fc.constantFrom('a', 'x-b', 'cookie', 'host', 'te', 'content-length'))
  const fields = fc.array(fc.tuple(name, fc.oneof(text, fc.constantFrom('1', 'trailers'))), {
    maxLength: 8,
  })
  fc.assert(
    fc.property(fields, fc.boolean(), (more, bodyless) => {
      const { head, problem } = read([...base, ...more], bodyless)
      if (problem !== undefined) return
      const out = new Uint8Array(head.size + 64)
      const written = Buffer.from(out.subarray(0, head.writeLines(out, 0))).toString('latin1')
      const lines = written.split('\r\n')
      expect(lines.pop()).toBe('')
      expect(lines.length).toBe([...head].length)
      for (const line of lines) {
        expect(line).toMatch(
          /^[!#$%&'*+.^_`|~0-9a-z-]+: ([\x21-\x7e\x80-\xff]([\t -~\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/,
        )
      }
    }),
    { numRuns: 2000 },
  )
})
