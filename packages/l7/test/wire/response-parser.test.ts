import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
import { ResponseParser } from '../../src/wire/response-parser.ts'
import { bytesOf, linesOf, piecesOf } from './wire-text.ts'

function outcome(pieces: readonly Uint8Array[]): object {
  const parser = new ResponseParser(defaultHeadLimits)
  for (const piece of pieces) {
    if (parser.feed(piece, 0, piece.length) < piece.length) break
  }
  const { head, state, problem } = parser
  if (state !== 'complete') return { state, problem }
  const { status, reason, version } = head
  return { state, status, reason, version, lines: linesOf(head) }
}

function parse(text: string): object {
  return outcome([bytesOf(text)])
}

describe('a status line', () => {
  test('is read', () => {
    expect(parse('HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody')).toEqual({
      state: 'complete',
      status: 200,
      reason: 'OK',
      version: 11,
      lines: [['Server', 'x']],
    })
    expect(parse('HTTP/1.0 404 Nicht\tda \xe4\r\n\r\n')).toMatchObject({
      status: 404,
      reason: 'Nicht\tda \xe4',
      version: 10,
    })
  })

  test('may have an empty phrase, or none', () => {
    expect(parse('HTTP/1.1 200 \r\n\r\n')).toMatchObject({ status: 200, reason: '' })
    expect(parse('HTTP/1.1 599\r\n\r\n')).toMatchObject({ status: 599, reason: '' })
    expect(parse('HTTP/1.1 200  \r\n\r\n')).toMatchObject({ status: 200, reason: ' ' })
  })

  const bad = [
    'HTTP/1.2 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/0.9 200 OK',
    'http/1.1 200 OK',
    'ICY 200 OK',
    'HTTP/1.1 099 X',
    'HTTP/1.1 600 X',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 2x0 OK',
    'HTTP/1.1 +20 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 200-OK',
    'HTTP/1.1 200 O\x00K',
    'HTTP/1.1 200 O\x7fK',
    'HTTP/1.1 200 O\nK',
    'HTTP/1.1 200 O\rK',
    ' HTTP/1.1 200 OK',
    '\r\nHTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\r\n folded: 1',
    'HTTP/1.1 200 OK\r\nA : b',
    'HTTP/1.1 200 OK\r\nA: b\nC: d',
    '<html>',
    `HTTP/1.1 200 ${'x'.repeat(9000)}`,
    `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(9000)}`,
    `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(100)}C: d`,
  ]
  for (const head of bad) {
    test(`refuses ${JSON.stringify(head.slice(0, 40))}`, () => {
      expect(parse(`${head}\r\n\r\n`)).toEqual({
        state: 'failed',
        problem: { status: 502, code: 'bad-response', message: expect.stringMatching(/^[ -~]+$/) },
      })
    })
  }
})

test('a response may follow another in the same range, as after a 1xx', () => {
  const parser = new ResponseParser(defaultHeadLimits)
  const bytes = bytesOf('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n')
  const first = parser.feed(bytes, 0, bytes.length)
  expect([parser.head.status, parser.head.get('link')]).toEqual([103, '</a>'])
  parser.next()
  expect(parser.feed(bytes, first, bytes.length)).toBe(bytes.length)
  expect([parser.head.status, parser.head.count]).toEqual([200, 0])
})

test('no cut changes what is made of a head, good or bad', () => {
  const part = fc.constantFrom(
    'HTTP/1.1 ',
    'HTTP/1.0 ',
    '200',
    '99',
    '404 ',
    ' ',
    'OK',
    '\r\n',
    '\r',
    '\n',
    'A',
    ':',
    ' b',
    '\x00',
    '\xff',
    '\t',
  )
  const almost = fc.array(part, { maxLength: 14 }).map((parts) => parts.join(''))
  const text = fc.oneof(
    almost,
    almost.map((rest) => `HTTP/1.1 200 OK\r\n${rest}\r\n\r\n`),
  )
  fc.assert(
    fc.property(text, fc.array(fc.nat({ max: 60 }), { maxLength: 5 }), (head, cuts) => {
      const bytes = bytesOf(head)
      const whole = outcome([bytes])
      const pieces = piecesOf(
        bytes,
        cuts.map((cut) => Math.min(cut, bytes.length)),
      )
      expect(outcome(pieces)).toEqual(whole)
      expect(outcome([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
    }),
    { numRuns: 500 },
  )
})
