import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentLength } from '../../src/wire/content-length.ts'
import { Field } from '../../src/wire/field.ts'
import { Head } from '../../src/wire/head.ts'
import { judgeResponse } from '../../src/wire/judge-response.ts'
import { defaultHeadLimits } from '../../src/wire/limits.ts'
import { forEachElement, listHas } from '../../src/wire/list.ts'
import { ResponseParser } from '../../src/wire/response-parser.ts'
import { transferCoding } from '../../src/wire/transfer-coding.ts'
import { bytesOf, textOf } from './wire-text.ts'

function headOf(...lines: [string, string][]): Head {
  const head = new Head()
  for (const [name, value] of lines) head.add(name, value)
  return head
}

describe('Content-Length', () => {
  const values: [string, number | 'bad'][] = [
    ['0', 0],
    ['5', 5],
    ['007', 7],
    ['00000000000000000000000000000000005', 5],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 'bad'],
    ['9007199254740993', 'bad'],
    ['18446744073709551621', 'bad'],
    ['1'.repeat(400), 'bad'],
    ['', 'bad'],
    ['+5', 'bad'],
    ['-5', 'bad'],
    ['0x5', 'bad'],
    ['1_0', 'bad'],
    ['1 0', 'bad'],
    ['5, 5', 'bad'],
    ['5,', 'bad'],
    ['5.0', 'bad'],
    ['5e1', 'bad'],
    ['\xb2', 'bad'],
  ]
  test.each(values)('%j is %s', (value, length) => {
    expect(contentLength(headOf(['content-LENGTH', value]))).toBe(length)
  })

  test('none, several, dropped, misspelt', () => {
    expect(contentLength(headOf(['Content_Length', '5']))).toBeUndefined()
    expect(contentLength(headOf(['Content-Length', '5'], ['content-length', '5']))).toBe('bad')
    const head = headOf(['Content-Length', '5'], ['Content-Length', '6'])
    head.drop(0)
    expect(contentLength(head)).toBe(6)
  })
})

describe('Transfer-Encoding', () => {
  const values: [string[], string][] = [
    [[], 'none'],
    [['chunked'], 'chunked'],
    [['CHUNKED'], 'chunked'],
    [['gzip'], 'unsupported'],
    [['X-Gzip'], 'unsupported'],
    [['gzip, chunked'], 'unsupported'],
    [['gzip', 'chunked'], 'unsupported'],
    [['foo, chunked'], 'unsupported'],
    [[''], 'bad'],
    [[','], 'bad'],
    [['chunked,'], 'bad'],
    [[',chunked'], 'bad'],
    [['chunked, chunked'], 'bad'],
    [['chunked', 'chunked'], 'bad'],
    [['chunked', ''], 'bad'],
    [['chunked, gzip'], 'bad'],
    [['gzip, deflate'], 'bad'],
    [['identity'], 'bad'],
    [['identity, chunked'], 'bad'],
    [['xchunked'], 'bad'],
    [['chunkedx'], 'bad'],
    [['chunked;q=1'], 'bad'],
    [['"chunked"'], 'bad'],
    [['chunked foo'], 'bad'],
    [['chunk ed'], 'bad'],
    [['chunked\xa0'], 'bad'],
    [['\x85chunked'], 'bad'],
  ]
  test.each(values)('%j is %s', (lines, coding) => {
    const head = headOf(...lines.map((value): [string, string] => ['Transfer-Encoding', value]))
    expect(transferCoding(head)).toBe(coding)
  })

  test('of another spelling is none', () => {
    expect(transferCoding(headOf(['Transfer_Encoding', 'chunked']))).toBe('none')
    expect(transferCoding(headOf(['Transfer--Encoding', 'chunked']))).toBe('none')
  })
})

describe('lists', () => {
  const head = headOf(
    ['Connection', 'close ,\tX-A,, keep-alive'],
    ['TE', 'trailers'],
    ['connection', 'UPGRADE'],
  )

  test('have their elements over all lines', () => {
    expect(listHas(head, Field.connection, 'close')).toBe(true)
    expect(listHas(head, Field.connection, 'keep-alive')).toBe(true)
    expect(listHas(head, Field.connection, 'upgrade')).toBe(true)
    expect(listHas(head, Field.connection, 'x-a')).toBe(true)
    expect(listHas(head, Field.connection, 'x')).toBe(false)
    expect(listHas(head, Field.upgrade, 'close')).toBe(false)
  })

  test('are walked in order until told to end', () => {
    const seen: string[] = []
    const visit = (
      bytes: Uint8Array,
      start: number,
      end: number,
      last: string,
    ): boolean | undefined => {
      seen.push(textOf(bytes, start, end))
      return seen.at(-1) === last
    }
    expect(forEachElement(head, Field.connection, visit, '')).toBe(false)
    expect(seen).toEqual(['close', 'X-A', 'keep-alive', 'UPGRADE'])
    seen.length = 0
    expect(forEachElement(head, Field.connection, visit, 'X-A')).toBe(true)
    expect(seen).toEqual(['close', 'X-A'])
  })

  test('agree with a split at commas', () => {
    const value = fc.stringMatching(/^[a-c, \t]{0,20}$/)
    fc.assert(
      fc.property(
        fc.array(value, { maxLength: 3 }),
        fc.stringMatching(/^[a-c]{1,2}$/),
        (values, token) => {
          const lines = values.map((each): [string, string] => ['Connection', each.trim()])
          const elements = values.flatMap((each) =>
            each.split(',').map((element) => element.trim()),
          )
          expect(listHas(headOf(...lines), Field.connection, token)).toBe(elements.includes(token))
        },
      ),
    )
  })
})

describe('a response is framed', () => {
  interface Judged {
    readonly length: number
    readonly untilClose: boolean
    readonly keepAlive: boolean
  }

  function judge(text: string, method = 'GET', upgrade = false): Judged | string {
    const parser = new ResponseParser(defaultHeadLimits)
    const bytes = bytesOf(`${text}\r\n\r\n`)
    parser.feed(bytes, 0, bytes.length)
    expect(parser.state).toBe('complete')
    const problem = judgeResponse(parser.head, method, upgrade)
    if (problem !== undefined) {
      expect(problem).toMatchObject({ status: 502, code: 'bad-response' })
      return problem.message
    }
    const { bodyLength, untilClose, keepAlive } = parser.head
    return { length: bodyLength, untilClose, keepAlive }
  }

  const cl = 'Content-Length: 5'
  const te = 'Transfer-Encoding: chunked'
  const reusable = { untilClose: false, keepAlive: true }
  const rows: [name: string, text: string, expected: object, method?: string, upgrade?: boolean][] =
    [
      ['by length', `HTTP/1.1 200 OK\r\n${cl}`, { length: 5, ...reusable }],
      ['by length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0', { length: 0, ...reusable }],
      ['by chunks', `HTTP/1.1 200 OK\r\n${te}`, { length: -1, ...reusable }],
      ['by its end', 'HTTP/1.1 200 OK', { length: -1, untilClose: true, keepAlive: false }],
      [
        'by its end, whatever Connection says',
        'HTTP/1.1 200 OK\r\nConnection: keep-alive',
        { length: -1, untilClose: true, keepAlive: false },
      ],
      ['HEAD, by length', `HTTP/1.1 200 OK\r\n${cl}`, { length: 0, ...reusable }, 'HEAD'],
      ['HEAD, by chunks', `HTTP/1.1 200 OK\r\n${te}`, { length: 0, ...reusable }, 'HEAD'],
      ['HEAD, by nothing', 'HTTP/1.1 200 OK', { length: 0, ...reusable }, 'HEAD'],
      ['304', `HTTP/1.1 304 Not Modified\r\n${cl}`, { length: 0, ...reusable }],
      ['204', 'HTTP/1.1 204 No Content', { length: 0, ...reusable }],
      [
        '204 that speaks of a body',
        `HTTP/1.1 204 No Content\r\n${cl}`,
        { length: 0, untilClose: false, keepAlive: false },
      ],
      [
        '204 that speaks of chunks',
        `HTTP/1.1 204 No Content\r\n${te}`,
        { length: 0, untilClose: false, keepAlive: false },
      ],
      [
        '204 of length 0',
        'HTTP/1.1 204 No Content\r\nContent-Length: 0',
        { length: 0, ...reusable },
      ],
      ['103', 'HTTP/1.1 103 Early Hints\r\nLink: <a>', { length: 0, ...reusable }],
      [
        '101 to an upgrade',
        'HTTP/1.1 101 X\r\nUpgrade: websocket',
        { length: 0, ...reusable },
        'GET',
        true,
      ],
      [
        'Connection: close',
        `HTTP/1.1 200 OK\r\n${cl}\r\nConnection: x, Close`,
        { length: 5, untilClose: false, keepAlive: false },
      ],
      ['HTTP/1.0', `HTTP/1.0 200 OK\r\n${cl}`, { length: 5, untilClose: false, keepAlive: false }],
      [
        'HTTP/1.0 keep-alive',
        `HTTP/1.0 200 OK\r\n${cl}\r\nConnection: Keep-Alive`,
        { length: 5, ...reusable },
      ],
      [
        'HTTP/1.0 keep-alive and close',
        `HTTP/1.0 200 OK\r\n${cl}\r\nConnection: keep-alive, close`,
        { length: 5, untilClose: false, keepAlive: false },
      ],
      ['404 to CONNECT', `HTTP/1.1 404 No\r\n${cl}`, { length: 5, ...reusable }, 'CONNECT'],
    ]
  for (const [name, text, expected, method, upgrade] of rows) {
    test(name, () => expect(judge(text, method, upgrade)).toEqual(expected))
  }

  const bad: [name: string, text: string, method?: string, upgrade?: boolean][] = [
    ['both', `HTTP/1.1 200 OK\r\n${cl}\r\n${te}`],
    ['both, to HEAD', `HTTP/1.1 200 OK\r\n${te}\r\n${cl}`, 'HEAD'],
    ['two lengths', `HTTP/1.1 200 OK\r\n${cl}\r\nContent-Length: 6`],
    ['the same twice', `HTTP/1.1 200 OK\r\n${cl}\r\n${cl}`],
    ['a list', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5'],
    ['no number', 'HTTP/1.1 200 OK\r\nContent-Length: x'],
    ['no number, 304', 'HTTP/1.1 304 X\r\nContent-Length:'],
    ['gzip', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked'],
    ['identity', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity'],
    ['chunked twice', `HTTP/1.1 200 OK\r\n${te}\r\n${te}`],
    ['chunked in HTTP/1.0', `HTTP/1.0 200 OK\r\n${te}`],
    ['101 not asked for', 'HTTP/1.1 101 X\r\nUpgrade: websocket'],
    ['101 in HTTP/1.0', 'HTTP/1.0 101 X', 'GET', true],
    ['200 to CONNECT', 'HTTP/1.1 200 OK', 'CONNECT'],
  ]
  for (const [name, text, method, upgrade] of bad) {
    test(`not: ${name}`, () =>
      expect(judge(text, method, upgrade)).toMatch(/^response head: [ -~]+$/))
  }
})
