import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkedDecoder, type ChunkSink } from '../../src/wire/chunked-decoder.ts'
import { Head } from '../../src/wire/head.ts'
import { writeChunkSize, writeLastChunk } from '../../src/wire/write-head.ts'
import { bytesOf, linesOf, piecesOf, textOf } from './wire-text.ts'

/** Collects what it is given. */
class Body implements ChunkSink {
  text = ''
  pieces = 0
  chunk(bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) throw new Error('a chunk of nothing')
    this.text += textOf(bytes, start, end)
    this.pieces += 1
  }
}

interface Outcome {
  readonly state: string
  readonly body: string
  readonly consumed: number
  readonly message: string | undefined
  readonly trailers: [string, string][] | undefined
}

function outcome(pieces: readonly Uint8Array[]): Outcome {
  const decoder = new ChunkedDecoder()
  const body = new Body()
  let consumed = 0
  for (const piece of pieces) {
    const end = decoder.feed(piece, 0, piece.length, body)
    consumed += end
    if (end < piece.length) break
  }
  const { state, trailers } = decoder
  return {
    state,
    body: body.text,
    consumed,
    message: decoder.problem?.message,
    trailers: trailers === undefined ? undefined : linesOf(trailers),
  }
}

function decode(text: string): Outcome {
  return outcome([bytesOf(text)])
}

describe('a chunked body', () => {
  test('is read up to its end', () => {
    expect(decode('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /')).toEqual({
      state: 'done',
      body: 'hello world',
      consumed: 26,
      message: undefined,
      trailers: undefined,
    })
    expect(decode('0\r\n\r\n')).toMatchObject({ state: 'done', body: '', consumed: 5 })
    expect(decode('000\r\n\r\n').state).toBe('done')
    expect(decode('00000000000000aA\r\n').state).toBe('reading')
    expect(decode(`A\r\n0123456789\r\n0\r\n\r\n`).body).toBe('0123456789')
  })

  const bad = [
    '\r\n',
    ' 5\r\nhello\r\n',
    '5 \r\nhello\r\n',
    '0x5\r\nhello\r\n',
    '+5\r\n',
    '-5\r\n',
    '5_0\r\n',
    'g\r\n',
    '5\nhello\r\n',
    '5\rhello\r\n',
    '5\r\r\nhello',
    '00000000000000005\r\nhello\r\n',
    'ffffffffffffffff\r\n',
    '20000000000000\r\n',
    '5\r\nhello\n',
    '5\r\nhelloX\r\n',
    '5\r\nhello0\r\n\r\n',
    '5\r\nhello\r0',
    '0\r\n\n',
    '0\r\n\rX',
    '0\n\n',
    '5;\r\nhello\r\n',
    '5;=b\r\n',
    '5;a=\r\n',
    '5;a b\r\n',
    '5; a\r\n',
    '5;a=b c\r\n',
    '5;a="b\r\n',
    '5;a="b"c\r\n',
    '5;a="\x00"\r\n',
    '5;a="\\\x01"\r\n',
    '5;a\n',
    '5;a=b\n',
    '5;a="b"\n',
    '5;a="b\nc"\r\n',
    '5;\x00\r\n',
    '5;a=b=c\r\n',
    '0\r\n a: b\r\n\r\n',
    '0\r\na : b\r\n\r\n',
    '0\r\na: b\n\r\n',
    '0\r\na: \x00\r\n\r\n',
    '0\r\n: b\r\n\r\n',
    '0\r\nab\r\n\r\n',
  ]
  for (const text of bad) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      const result = decode(text)
      expect(result).toMatchObject({
        state: 'failed',
        message: expect.stringMatching(/^request [ -~]+$/),
      })
      expect(outcome([...bytesOf(text)].map((byte) => Uint8Array.of(byte)))).toEqual(result)
    })
  }

  test('extensions are checked and forgotten', () => {
    for (const extension of [
      ';a',
      ';a=b',
      ';a="b"',
      ';a=";\\"\r\n"'.replace('\r\n', ' '),
      ';a;b=c;d="e"',
      ';a="\t\xff"',
    ]) {
      expect(decode(`5${extension}\r\nhello\r\n0${extension}\r\n\r\n`)).toMatchObject({
        state: 'done',
        body: 'hello',
      })
    }
  })

  test('extensions of one body may come to 16 KiB, of the next as much', () => {
    const decoder = new ChunkedDecoder()
    const body = new Body()
    const chunk = bytesOf(`1;${'a'.repeat(1024)}\r\nx\r\n`)
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 16; i++) decoder.feed(chunk, 0, chunk.length, body)
      expect(decoder.state).toBe('reading')
      decoder.feed(bytesOf('1;a\r\n'), 0, 5, body)
      expect(decoder.problem).toEqual({
        status: 400,
        code: 'bad-request',
        message: 'request body: chunk extensions of more than 16384 bytes',
      })
      decoder.reset()
    }
  })

  test('a problem in a response is the backend’s', () => {
    const decoder = new ChunkedDecoder('response')
    decoder.feed(bytesOf('x'), 0, 1, new Body())
    expect(decoder.problem).toMatchObject({ status: 502, code: 'bad-response' })
    decoder.reset()
    decoder.feed(bytesOf('0\r\n:\r\n'), 0, 6, new Body())
    expect(decoder.problem).toMatchObject({ status: 502, code: 'bad-response' })
  })
})

describe('trailers', () => {
  test('are kept without those of forbidden names', () => {
    const { state, trailers } = decode(
      '0\r\nGrpc-Status: 0\r\nHost: evil\r\nContent-Length: 5\r\nTransfer_Encoding: chunked\r\nX-Forwarded-For: 1\r\nX_Forwarded_Host: e\r\nauthorization: x\r\nSet-Cookie: a=b\r\nContent-Type: x/y\r\nChecksum:  1 \r\n\r\n',
    )
    expect(state).toBe('done')
    expect(trailers).toEqual([
      ['Grpc-Status', '0'],
      ['Checksum', '1'],
    ])
    expect(decode('0\r\nHost: evil\r\n\r\n')).toMatchObject({ state: 'done', trailers: undefined })
  })

  test('are bounded', () => {
    expect(decode(`0\r\n${'A: b\r\n'.repeat(100)}\r\n`).trailers).toHaveLength(100)
    expect(decode(`0\r\n${'A: b\r\n'.repeat(101)}\r\n`).state).toBe('failed')
    expect(decode(`0\r\nA: ${'b'.repeat(8190)}\r\n\r\n`).state).toBe('failed')
  })

  test('of one body are gone with the next', () => {
    const decoder = new ChunkedDecoder()
    const bytes = bytesOf('0\r\nA: b\r\n\r\n')
    decoder.feed(bytes, 0, bytes.length, new Body())
    expect(linesOf(decoder.trailers!)).toEqual([['A', 'b']])
    decoder.reset()
    decoder.feed(bytes, 0, 5, new Body())
    decoder.reset()
    decoder.feed(bytesOf('0\r\nC: d\r\n\r\n'), 0, 11, new Body())
    expect(linesOf(decoder.trailers!)).toEqual([['C', 'd']])
  })
})

describe('the sink', () => {
  const bytes = bytesOf('5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n')

  test('may stop the decoder: it is not called again until a reset', () => {
    const decoder = new ChunkedDecoder()
    let seen = ''
    const sink: ChunkSink = {
      chunk: (range, start, end) => {
        seen += textOf(range, start, end)
        decoder.stop()
      },
    }
    expect(decoder.feed(bytes, 0, bytes.length, sink)).toBe(8)
    expect(decoder.feed(bytes, 8, bytes.length, sink)).toBe(8)
    expect([seen, decoder.state]).toEqual(['hello', 'reading'])
    decoder.reset()
    decoder.feed(bytes, 0, bytes.length, sink)
    expect(seen).toBe('hellohello')
  })

  test('may reset it for the next body', () => {
    const decoder = new ChunkedDecoder()
    expect(decoder.feed(bytes, 0, bytes.length, { chunk: () => decoder.reset() })).toBe(8)
    const body = new Body()
    decoder.feed(bytes, 0, bytes.length, body)
    expect([decoder.state, body.text]).toEqual(['done', 'helloworld'])
  })

  test('may throw: the chunk counts as delivered', () => {
    const decoder = new ChunkedDecoder()
    const sink: ChunkSink = {
      chunk: () => {
        throw new Error('no')
      },
    }
    expect(() => decoder.feed(bytes, 0, bytes.length, sink)).toThrow('no')
    const body = new Body()
    decoder.feed(bytes, 8, bytes.length, body)
    expect([decoder.state, body.text]).toEqual(['done', 'world'])
  })
})

describe('properties', () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 })

  function encode(parts: readonly Uint8Array[], trailers: Head | undefined): Uint8Array {
    const into = new Uint8Array(4096)
    let at = 0
    for (const part of parts) {
      at = writeChunkSize(into, at, part.length)
      into.set(part, at)
      into.set([13, 10], at + part.length)
      at += part.length + 2
    }
    return into.slice(0, writeLastChunk(into, at, trailers))
  }

  test('what is written is read, however it is cut', () => {
    fc.assert(
      fc.property(
        chunks,
        fc.boolean(),
        fc.array(fc.nat({ max: 300 }), { maxLength: 8 }),
        (parts, trailer, cuts) => {
          const trailers = trailer ? new Head() : undefined
          trailers?.add('Checksum', 'abc')
          const bytes = encode(parts, trailers)
          const result = outcome(
            piecesOf(
              bytes,
              cuts.map((cut) => Math.min(cut, bytes.length)),
            ),
          )
          expect(result).toEqual({
            state: 'done',
            body: parts.map((part) => textOf(part)).join(''),
            consumed: bytes.length,
            message: undefined,
            trailers: trailer ? [['Checksum', 'abc']] : undefined,
          })
        },
      ),
    )
  })

  test('no bytes make it throw, and no cut changes what is made of them', () => {
    const part = fc.constantFrom(
      '5',
      '0',
      'a',
      ';',
      '=',
      '"',
      '\\',
      '\r\n',
      '\r',
      '\n',
      'hello',
      'a: b',
      ' ',
      '\x00',
    )
    const text = fc.array(part, { maxLength: 16 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, fc.array(fc.nat({ max: 40 }), { maxLength: 4 }), (body, cuts) => {
        const bytes = bytesOf(body)
        const whole = outcome([bytes])
        expect(
          outcome(
            piecesOf(
              bytes,
              cuts.map((cut) => Math.min(cut, bytes.length)),
            ),
          ),
        ).toEqual(whole)
        expect(outcome([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
      }),
      { numRuns: 500 },
    )
  })
})
