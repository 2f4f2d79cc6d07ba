import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Field } from '../../src/wire/field.ts'
import { defaultHeadLimits, type HeadLimits } from '../../src/wire/limits.ts'
import { methods } from '../../src/wire/method.ts'
import { http2Preface, RequestParser } from '../../src/wire/request-parser.ts'
import { bytesOf, linesOf, piecesOf, textOf } from './wire-text.ts'

const small: HeadLimits = { maxBytes: 120, maxLine: 40, maxLines: 4 }

/** What a parser made of some pieces: all that anybody can see of it. */
function outcome(pieces: readonly Uint8Array[], limits = defaultHeadLimits): object {
  const parser = new RequestParser(limits)
  // A guard in front and behind: offsets are of the array, and nothing outside the range counts.
  let consumed = 0
  for (const piece of pieces) {
    const array = new Uint8Array(piece.length + 8).fill(0x0a)
    array.set(piece, 4)
    const end = parser.feed(array, 4, 4 + piece.length)
    expect(end).toBeGreaterThanOrEqual(4)
    expect(end).toBeLessThanOrEqual(4 + piece.length)
    consumed += end - 4
    if (end < 4 + piece.length) break
  }
  const { head, state, problem } = parser
  if (state !== 'complete') return { state, problem }
  return {
    state,
    consumed,
    method: head.method,
    version: head.version,
    target: head.rawTarget,
    lines: linesOf(head),
    ids: [...head.ids.subarray(0, head.count)],
    bytes: textOf(head.bytes, 0, head.used),
  }
}

function parse(text: string, limits = defaultHeadLimits): ReturnType<typeof outcome> {
  return outcome([bytesOf(text)], limits)
}

/** Status and message of the refusal. */
function refusal(text: string, limits = defaultHeadLimits): [number, string] {
  const parser = new RequestParser(limits)
  const bytes = bytesOf(text)
  parser.feed(bytes, 0, bytes.length)
  if (parser.state !== 'failed') throw new Error(`${parser.state}: ${JSON.stringify(text)}`)
  return [parser.problem!.status, parser.problem!.message]
}

describe('a request head', () => {
  test('is read into ranges of its own bytes', () => {
    const text =
      'POST /a?b=c HTTP/1.1\r\nHost: example.org\r\ncontent-LENGTH:5\r\nX-Odd:\t a b \t\r\nEmpty:\r\n\r\nhello'
    expect(parse(text)).toEqual({
      state: 'complete',
      consumed: text.length - 5,
      method: 'POST',
      version: 11,
      target: '/a?b=c',
      lines: [
        ['Host', 'example.org'],
        ['content-LENGTH', '5'],
        ['X-Odd', 'a b'],
        ['Empty', ''],
      ],
      ids: [Field.host, Field.contentLength, 0, 0],
      bytes: text.slice(0, -7),
    })
  })

  test('may have no lines, be HTTP/1.0, and carry 8-bit values', () => {
    expect(parse('GET * HTTP/1.0\r\n\r\n')).toMatchObject({ version: 10, target: '*', lines: [] })
    expect(parse('GET / HTTP/1.1\r\nA: \x80\xff\t~\r\n\r\n')).toMatchObject({
      lines: [['A', '\x80\xff\t~']],
    })
  })

  test('follows another in the same range, and in the same parser', () => {
    const parser = new RequestParser(defaultHeadLimits)
    const bytes = bytesOf('GET /1 HTTP/1.1\r\nA: 1\r\n\r\nPUT /2 HTTP/1.0\r\n\r\n')
    const first = parser.feed(bytes, 0, bytes.length)
    expect([parser.head.method, parser.head.rawTarget, parser.head.count]).toEqual(['GET', '/1', 1])
    expect(parser.feed(bytes, first, bytes.length)).toBe(first)
    parser.next()
    expect(parser.state).toBe('idle')
    expect(parser.feed(bytes, first, bytes.length)).toBe(bytes.length)
    expect([parser.head.method, parser.head.rawTarget, parser.head.count]).toEqual(['PUT', '/2', 0])
    expect([parser.state, parser.head.version]).toEqual(['complete', 10])
  })

  test('may follow one empty line, which leaves the parser idle', () => {
    const parser = new RequestParser(defaultHeadLimits)
    expect(parser.feed(bytesOf('\r'), 0, 1)).toBe(1)
    expect(parser.feed(bytesOf('\n'), 0, 1)).toBe(1)
    expect(parser.state).toBe('idle')
    const bytes = bytesOf('GET / HTTP/1.1\r\n\r\n')
    parser.feed(bytes, 0, bytes.length)
    expect(parser.state).toBe('complete')
    expect(parser.head.targetStart).toBe(4)
    expect(refusal('\r\n\r\nGET / HTTP/1.1\r\n\r\n')).toEqual([
      400,
      'request line: CR or LF before it',
    ])
    expect(refusal('\r\r\n')[0]).toBe(400)
    expect(refusal('\nGET / HTTP/1.1\r\n\r\n')[0]).toBe(400)
    expect(refusal('\rGET / HTTP/1.1\r\n\r\n')[0]).toBe(400)
  })

  test('has any of the methods, as they are listed', () => {
    for (const method of methods) {
      expect(parse(`${method} / HTTP/1.1\r\n\r\n`)).toMatchObject({ method })
    }
  })
})

describe('a request line is refused', () => {
  const lines: [line: string, status: number, message: RegExp][] = [
    ['FOO / HTTP/1.1', 501, /unknown method/],
    [`${'A'.repeat(33)} / HTTP/1.1`, 501, /unknown method/],
    ['get / HTTP/1.1', 400, /not in upper case/],
    ['Get / HTTP/1.1', 400, /not in upper case/],
    [' GET / HTTP/1.1', 400, /begins with white space/],
    ['\tGET / HTTP/1.1', 400, /begins with white space/],
    ['G(T / HTTP/1.1', 400, /byte 0x28 in the method/],
    ['GET', 400, /no target/],
    ['GET ', 400, /no target/],
    ['GET  / HTTP/1.1', 400, /two spaces/],
    ['GET\t/ HTTP/1.1', 400, /white space|0x09/],
    ['GET /', 400, /no version/],
    ['GET / ', 400, /byte 0x0d in the version/],
    ['GET /  HTTP/1.1', 400, /byte 0x20 in the version/],
    ['GET / HTTP/1.1 ', 400, /byte 0x20 in the version/],
    ['GET /a b HTTP/1.1', 400, /in the version/],
    ['GET /\x00 HTTP/1.1', 400, /byte 0x00 in the target/],
    ['GET /\x7f HTTP/1.1', 400, /byte 0x7f in the target/],
    ['GET /\xe4 HTTP/1.1', 400, /byte 0xe4 in the target/],
    ['GET / http/1.1', 400, /version/],
    ['GET / HTTP/1', 400, /version/],
    ['GET / HTTP/1.11', 400, /version/],
    ['GET / HTTP/11', 400, /version/],
    ['GET / HTTP/0.9', 400, /0\.9/],
    ['GET / HTTP/1.2', 505, /HTTP\/1\.2/],
    ['GET / HTTP/2.0', 505, /HTTP\/2\.0/],
    ['GET / HTTP/3.1', 505, /HTTP\/3\.1/],
    ['PRI * HTTP/1.1', 501, /unknown method/],
    ['PRI / HTTP/2.0', 501, /unknown method/],
    ['\x16\x03\x01\x02', 400, /byte 0x16 in the method/],
  ]
  for (const [line, status, message] of lines) {
    test(JSON.stringify(line), () => {
      const [got, why] = refusal(`${line}\r\nHost: a\r\n\r\n`)
      expect([got, why]).toEqual([status, expect.stringMatching(message)])
    })
  }

  test('with a bare LF or CR', () => {
    expect(refusal('GET / HTTP/1.1\nHost: a\r\n\r\n')).toEqual([400, 'request line: LF without CR'])
    expect(refusal('GET / HTTP/1.1\rHost: a\r\n\r\n')[0]).toBe(400)
  })

  test('that is the preface of HTTP/2, as itself', () => {
    const parser = new RequestParser(defaultHeadLimits)
    const bytes = bytesOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    parser.feed(bytes, 0, bytes.length)
    expect(parser.problem).toBe(http2Preface)
  })
})

describe('a header line is refused', () => {
  const lines: [line: string, message: RegExp][] = [
    ['Host : a', /white space before the colon/],
    ['Host\t: a', /white space before the colon/],
    [' Host: a', /begins with white space/],
    ['\tHost: a', /begins with white space/],
    ['A: 1\r\n folded: 2', /line 2: begins with white space/],
    ['A: 1\r\n\tfolded', /line 2: begins with white space/],
    ['no colon', /white space before the colon/],
    ['nocolon', /no colon/],
    [': empty', /no name/],
    ['A(: b', /byte 0x28 in the name/],
    ['A\xe4: b', /byte 0xe4 in the name/],
    ['A\x00: b', /byte 0x00 in the name/],
    ['A: b\x00c', /byte 0x00 in the value/],
    ['A: b\x0bc', /byte 0x0b in the value/],
    ['A: b\x7fc', /byte 0x7f in the value/],
    ['A: b\nB: c', /LF without CR/],
    ['A: b\rB: c', /CR without LF/],
    ['A: b\r', /CR without LF/],
    ['A\r: b', /no colon/],
    ['A\n: b', /LF without CR/],
    ['\rA: b', /CR without LF/],
  ]
  for (const [line, message] of lines) {
    test(JSON.stringify(line), () => {
      const [status, why] = refusal(`GET / HTTP/1.1\r\n${line}\r\n\r\n`)
      expect([status, why]).toEqual([400, expect.stringMatching(message)])
    })
  }

  test('with a bare LF in place of the last', () => {
    expect(refusal('GET / HTTP/1.1\r\nA: b\r\n\n')[0]).toBe(400)
    expect(refusal('GET / HTTP/1.1\r\nA: b\n\r\n')[0]).toBe(400)
  })
})

describe('limits', () => {
  const start = 'GET / HTTP/1.1\r\n'

  test('a line of just the limit passes, one more does not', () => {
    const line = (length: number): string => `A: ${'x'.repeat(length - 3)}`
    expect(parse(`${start}${line(40)}\r\n\r\n`, small)).toMatchObject({ state: 'complete' })
    for (const length of [41, 42, 43]) {
      expect(refusal(`${start}${line(length)}\r\n\r\n`, small)[0]).toBe(431)
    }
    expect(refusal(`${start}${'x'.repeat(50)}: a\r\n\r\n`, small)[0]).toBe(431)
    expect(refusal(`${start}A:${' '.repeat(50)}a\r\n\r\n`, small)[0]).toBe(431)
  })

  test('a long target is 414', () => {
    const line = (length: number): string => `GET /${'x'.repeat(length - 14)} HTTP/1.1`
    expect(parse(`${line(40)}\r\n\r\n`, small)).toMatchObject({ state: 'complete' })
    expect(refusal(`${line(41)}\r\n\r\n`, small)).toEqual([
      414,
      expect.stringContaining('40 bytes'),
    ])
    expect(refusal(`GET /${'x'.repeat(500)}`, { ...small, maxLine: 8192 })[0]).toBe(414)
  })

  test('lines', () => {
    const lines = (count: number): string => `${start}${'A:b\r\n'.repeat(count)}\r\n`
    expect(parse(lines(4), small)).toMatchObject({ state: 'complete' })
    expect(refusal(lines(5), small)).toEqual([431, 'request header more than 4 lines'])
  })

  test('the block, its last line included', () => {
    const block = (length: number): string => {
      const fill = length - start.length - 2
      const one = `A: ${'x'.repeat(32)}\r\n`
      const last = fill - 2 * one.length
      return `${start}${one}${one}B: ${'y'.repeat(last - 5)}\r\n\r\n`
    }
    expect(block(120)).toHaveLength(120)
    expect(parse(block(120), small)).toMatchObject({ state: 'complete', consumed: 120 })
    expect(refusal(block(121), small)[0]).toBe(431)
  })

  test('an endless drip is refused at the limit, not later', () => {
    const parser = new RequestParser(small)
    let fed = 0
    while (parser.state !== 'failed') {
      parser.feed(bytesOf(fed < 4 ? 'GET '[fed]! : 'x'), 0, 1)
      fed += 1
    }
    expect([fed, parser.problem!.status]).toEqual([42, 414])
  })

  test('a head of its room many times over grows the room, once for all', () => {
    const text = `${start}${`A: ${'x'.repeat(1000)}\r\n`.repeat(15)}\r\n`
    const parser = new RequestParser(defaultHeadLimits)
    const bytes = bytesOf(text)
    parser.feed(bytes, 0, bytes.length)
    const room = parser.head.bytes
    parser.next()
    parser.feed(bytes, 0, bytes.length)
    expect(parser.head.count).toBe(15)
    expect(parser.head.bytes).toBe(room)
  })
})

const pieceOfHead = fc.constantFrom(
  'GET ',
  'POST ',
  'get ',
  'PRI * HTTP/2.0\r\n',
  'FOO ',
  '/',
  '/a?b',
  '*',
  ' ',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  '\r\n',
  '\r',
  '\n',
  'Host',
  'Content-Length',
  'X',
  ':',
  ': ',
  ' :',
  'value',
  '\t',
  '\x00',
  '\x7f',
  '\xff',
  ',',
  '12',
  '(',
  '"',
  'x'.repeat(45),
)
const almostHead = fc.array(pieceOfHead, { maxLength: 25 }).map((parts) => parts.join(''))
const goodLine = fc
  .tuple(
    fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/),
    fc.stringMatching(/^[\t -~\x80-\xff]{0,16}$/),
  )
  .map(([name, value]) => `${name}:${value}\r\n`)
const goodHead = fc
  .tuple(
    fc.constantFrom(...methods),
    fc.stringMatching(/^[!-~]{1,20}$/),
    fc.array(goodLine, { maxLength: 5 }),
  )
  .map(([method, target, lines]) => `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`)
const brokenHead = fc.tuple(goodHead, fc.nat(), fc.nat({ max: 255 })).map(([text, at, byte]) => {
  const where = at % text.length
  return text.slice(0, where) + String.fromCharCode(byte) + text.slice(where + (byte & 1))
})
const anyHead = fc
  .oneof(goodHead, brokenHead, almostHead, fc.string({ unit: 'binary', maxLength: 60 }))
  .map((text) => text.replace(/[^\x00-\xff]/g, '?'))

describe('properties', () => {
  test('every cut of a head gives the same, byte for byte', () => {
    const text =
      'POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nX: \t a \r\nContent-Length: 5\r\n\r\nhello'
    const bytes = bytesOf(text)
    const whole = outcome([bytes])
    for (let i = 0; i <= bytes.length; i++) expect(outcome(piecesOf(bytes, [i]))).toEqual(whole)
    expect(outcome([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
  })

  test('no cut changes what is made of a head, good or bad', () => {
    fc.assert(
      fc.property(
        anyHead,
        fc.array(fc.nat({ max: 200 }), { maxLength: 6 }),
        fc.boolean(),
        (text, cuts, tight) => {
          const bytes = bytesOf(text)
          const limits = tight ? small : defaultHeadLimits
          const whole = outcome([bytes], limits)
          expect(
            outcome(
              piecesOf(
                bytes,
                cuts.map((cut) => Math.min(cut, bytes.length)),
              ),
              limits,
            ),
          ).toEqual(whole)
          expect(
            outcome(
              [...bytes].map((byte) => Uint8Array.of(byte)),
              limits,
            ),
          ).toEqual(whole)
        },
      ),
      { numRuns: 600 },
    )
  })

  test('a good head is always read, and says what was written', () => {
    fc.assert(
      fc.property(goodHead, (text) => {
        const result = parse(text) as { lines: [string, string][]; target: string; method: string }
        const [line, ...lines] = text.slice(0, -4).split('\r\n')
        expect(`${result.method} ${result.target} HTTP/1.1`).toBe(line)
        expect(result.lines).toEqual(
          lines.map((each) => {
            const colon = each.indexOf(':')
            return [each.slice(0, colon), each.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
          }),
        )
      }),
    )
  })

  test('no bytes make it throw, and messages have no raw bytes in them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const parser = new RequestParser(small)
        parser.feed(bytes, 0, bytes.length)
        expect(parser.problem?.message ?? '').toMatch(/^[ -~]*$/)
      }),
      { numRuns: 500 },
    )
  })
})
