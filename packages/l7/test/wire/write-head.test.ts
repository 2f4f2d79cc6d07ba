import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fieldProblem, isToken } from '../../src/wire/checked-field.ts'
import { Field } from '../../src/wire/field.ts'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
import { putDecimal, putHex } from '../../src/wire/number-text.ts'
import { RequestHead } from '../../src/wire/request-head.ts'
import { RequestParser } from '../../src/wire/request-parser.ts'
import { ResponseHead } from '../../src/wire/response-head.ts'
import { ResponseParser } from '../../src/wire/response-parser.ts'
import {
  type ConnectionOption,
  lastChunk,
  lastChunkRoom,
  requestHeadRoom,
  responseHeadRoom,
  writeChunkSize,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
} from '../../src/wire/write-head.ts'
import { bytesOf, linesOf, textOf } from './wire-text.ts'

/** Written at an offset, into just the room that was asked for. */
function requestText(head: RequestHead, length: number, upgrade = ''): string {
  const into = new Uint8Array(7 + requestHeadRoom(head))
  return textOf(into, 7, writeRequestHead(into, 7, head, length, upgrade))
}

function responseText(
  head: ResponseHead,
  length: number,
  noBody = false,
  version: 10 | 11 = 11,
  connection: ConnectionOption = '',
): string {
  const into = new Uint8Array(7 + responseHeadRoom(head))
  return textOf(into, 7, writeResponseHead(into, 7, head, length, noBody, version, connection))
}

function request(method: string, path = '/', query?: string): RequestHead {
  const head = new RequestHead()
  head.method = method
  head.authority = 'example.org:81'
  head.path = path
  head.query = query
  return head
}

function response(status: number, reason = ''): ResponseHead {
  const head = new ResponseHead()
  head.status = status
  head.reason = reason
  return head
}

describe('a request head', () => {
  const start = ' / HTTP/1.1\r\nHost: example.org:81\r\n'

  test('has Host first, then its lines, then framing', () => {
    const head = request('POST', '/a', 'b=c')
    head.add('X', 'y')
    expect(requestText(head, 5)).toBe(
      'POST /a?b=c HTTP/1.1\r\nHost: example.org:81\r\nX: y\r\nContent-Length: 5\r\n\r\n',
    )
    expect(requestText(request('GET', '/', ''), 0)).toMatch(/^GET \/\? HTTP/)
    expect(requestText(request('OPTIONS', '*'), 0)).toMatch(/^OPTIONS \* HTTP/)
    expect(requestText(request('CONNECT'), 0)).toMatch(/^CONNECT example.org:81 HTTP/)
  })

  test('is framed whatever the method', () => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'QUERY']) {
      expect(requestText(request(method), -1)).toBe(
        `${method}${start}Transfer-Encoding: chunked\r\n\r\n`,
      )
      expect(requestText(request(method), 9007199254740991)).toBe(
        `${method}${start}Content-Length: 9007199254740991\r\n\r\n`,
      )
    }
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'COPY']) {
      expect(requestText(request(method), 0)).toBe(`${method}${start}\r\n`)
    }
    for (const method of ['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND']) {
      expect(requestText(request(method), 0)).toBe(`${method}${start}Content-Length: 0\r\n\r\n`)
    }
  })

  test('asks for an upgrade, and has no Connection otherwise', () => {
    expect(requestText(request('GET'), 0, 'websocket')).toBe(
      `GET${start}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    expect(requestText(request('GET'), -1)).not.toContain('Connection')
  })

  test('does not let a line break through, wherever it was put', () => {
    const bad: ((head: RequestHead) => void)[] = [
      (head) => (head.method = 'GET /x HTTP/1.1\r\nA:'),
      (head) => (head.path = '/ HTTP/1.1\r\nEvil: 1'),
      (head) => (head.path = '/\u560a'),
      (head) => (head.query = 'a b'),
      (head) => (head.authority = 'a\r\nEvil: 1'),
    ]
    for (const change of bad) {
      const head = request('GET')
      change(head)
      expect(() => requestText(head, 0)).toThrow(RangeError)
    }
    expect(() => requestText(request('GET'), 0, 'a\r\nb')).toThrow(RangeError)
    expect(() => requestText(request('GET'), 0, 'a'.repeat(65))).toThrow(RangeError)
    expect(() => requestText(request('GET'), 1.5)).toThrow(RangeError)
  })
})

describe('a response head', () => {
  const framed = 'Content-Length: 5\r\n'
  const chunked = 'Transfer-Encoding: chunked\r\n'
  const rows: [
    name: string,
    status: number,
    args: [number, boolean?, (10 | 11)?, ConnectionOption?],
    lines: string,
  ][] = [
    ['by length', 200, [5], framed],
    ['of length 0', 200, [0], 'Content-Length: 0\r\n'],
    ['by chunks', 200, [-1], chunked],
    ['by its end to HTTP/1.0', 200, [-1, false, 10, 'close'], 'Connection: close\r\n'],
    [
      'by its end to HTTP/1.0, which cannot be kept',
      200,
      [-1, false, 10, 'keep-alive'],
      'Connection: close\r\n',
    ],
    ['to HEAD', 200, [5, true], framed],
    ['to HEAD, length unknown', 200, [-1, true], ''],
    ['304', 304, [5, true], framed],
    ['204', 204, [0], ''],
    ['204 that was given a length', 204, [5], ''],
    ['103', 103, [0], ''],
    ['101', 101, [0, true, 11, 'upgrade'], 'Connection: upgrade\r\n'],
    ['kept', 200, [5, false, 10, 'keep-alive'], `${framed}Connection: keep-alive\r\n`],
    ['closed', 500, [5, false, 11, 'close'], `${framed}Connection: close\r\n`],
  ]
  for (const [name, status, args, lines] of rows) {
    test(name, () => {
      const head = response(status, 'Fine')
      head.add('X', 'y')
      expect(responseText(head, ...args)).toBe(`HTTP/1.1 ${status} Fine\r\nX: y\r\n${lines}\r\n`)
    })
  }

  test('has the registered phrase unless it has its own', () => {
    expect(responseText(response(200), 0)).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(responseText(response(503), 0)).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/)
    expect(responseText(response(299), 0)).toMatch(/^HTTP\/1\.1 299 \r\n/)
    expect(responseText(response(200, 'Ja \xe4'), 0)).toMatch(/^HTTP\/1\.1 200 Ja \xe4\r\n/)
    expect(() => responseText(response(200, 'a\r\nb'), 0)).toThrow(RangeError)
    for (const status of [0, 99, 600, 20.5, -1])
      expect(() => responseText(response(status), 0)).toThrow(RangeError)
  })
})

test('numbers are written as they are', () => {
  const into = new Uint8Array(20)
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.nat({ max: 2000 })), (value) => {
      expect(textOf(into, 2, putDecimal(into, 2, value))).toBe(String(value))
    }),
  )
  for (const value of [
    0,
    9,
    10,
    2 ** 31 - 1,
    2 ** 31,
    1e9,
    999_999_999,
    1e15,
    Number.MAX_SAFE_INTEGER,
  ]) {
    expect(textOf(into, 0, putDecimal(into, 0, value))).toBe(String(value))
  }
  for (const value of [-1, NaN, 2 ** 53, 2 ** 31 + 0.5])
    expect(() => putDecimal(into, 0, value)).toThrow(RangeError)
  for (const value of [0, 1, 15, 16, 255, 4096, 65_535, 2 ** 31, 2 ** 32 - 1]) {
    expect(textOf(into, 1, putHex(into, 1, value))).toBe(value.toString(16))
  }
})

test('chunk frames', () => {
  const into = new Uint8Array(64)
  expect(textOf(into, 0, writeChunkSize(into, 0, 4096))).toBe('1000\r\n')
  expect(() => writeChunkSize(into, 0, 0)).toThrow(RangeError)
  expect(textOf(lastChunk)).toBe('0\r\n\r\n')
  expect([writeLastChunk(into, 0, undefined), lastChunkRoom(undefined)]).toEqual([5, 5])
  const trailers = new ResponseHead()
  trailers.add('A', 'b')
  const exact = new Uint8Array(lastChunkRoom(trailers))
  expect(textOf(exact, 0, writeLastChunk(exact, 0, trailers))).toBe('0\r\nA: b\r\n\r\n')
})

describe('what is written is read', () => {
  const line = fc.tuple(
    fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/),
    fc.stringMatching(/^([!-~\x80-\xff][\t -~\x80-\xff]{0,100}[!-~\x80-\xff])?$/),
  )
  const lines = fc.array(line, { maxLength: 8 })

  test('a request', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'POST', 'M-SEARCH'),
        fc.stringMatching(/^\/[!"$->@-~]{0,60}$/),
        fc.option(fc.stringMatching(/^[!-~]{0,30}$/), { nil: undefined }),
        lines,
        fc.integer({ min: -1, max: 1000 }),
        (method, path, query, added, length) => {
          const head = request(method, path, query)
          for (const [name, value] of added) head.add(name, value)
          const text = requestText(head, length)
          const parser = new RequestParser(defaultHeadLimits)
          expect(parser.feed(bytesOf(text), 0, text.length)).toBe(text.length)
          expect(parser.state).toBe('complete')
          expect([parser.head.method, parser.head.rawTarget]).toEqual([method, head.target])
          const read = linesOf(parser.head)
          expect(read[0]).toEqual(['Host', 'example.org:81'])
          expect(read.slice(1, 1 + added.length)).toEqual(added)
        },
      ),
    )
  })

  test('a response, through a parsed head that was edited', () => {
    fc.assert(
      fc.property(lines, lines, fc.nat(), (first, second, which) => {
        const head = response(200)
        for (const [name, value] of first) head.add(name, value)
        const text = responseText(head, 3)
        const parser = new ResponseParser(defaultHeadLimits)
        parser.feed(bytesOf(text), 0, text.length)
        parser.head.dropField(Field.contentLength)
        const left = linesOf(parser.head)
        if (left.length > 0) {
          const dropped = which % left.length
          const index = [...parser.head.ids.subarray(0, parser.head.count)]
            .map((id, i) => [id, i] as const)
            .filter(([id]) => id !== -1)[dropped]![1]
          parser.head.drop(index)
          left.splice(dropped, 1)
        }
        for (const [name, value] of second) parser.head.add(name, value)
        const again = responseText(parser.head, -1)
        const reader = new ResponseParser(defaultHeadLimits)
        reader.feed(bytesOf(again), 0, again.length)
        expect(linesOf(reader.head)).toEqual([...left, ...second, ['Transfer-Encoding', 'chunked']])
      }),
    )
  })
})

describe('fields from configuration', () => {
  test('are checked', () => {
    expect(fieldProblem('X-A', 'a b\tc \xff')).toBeUndefined()
    expect(fieldProblem('X-A', '')).toBeUndefined()
    for (const name of ['', 'a b', 'a:', 'ä', 'a\r\n', '"a"']) {
      expect(fieldProblem(name, 'x')).toMatch(/^the name ".*" is not a token$/)
      expect(isToken(name)).toBe(false)
    }
    expect(isToken("!#$%&'*+-.^_`|~09azAZ")).toBe(true)
    expect(fieldProblem('A', 'x\r\ny')).toMatch(/U\+000D at 1/)
    expect(fieldProblem('A', '\u560a')).toMatch(/U\+560A at 0/)
    expect(fieldProblem('A', '\x7f')).toMatch(/U\+007F/)
    for (const value of [' x', 'x ', '\tx', 'x\t', ' ']) {
      expect(fieldProblem('A', value)).toMatch(/white space/)
    }
  })
})
