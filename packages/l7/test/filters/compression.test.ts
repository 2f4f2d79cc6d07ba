import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ContentCoding,
  supportedCodings,
  zlibTransformer,
} from '../../src/filters/compression/zlib-transform.ts'
import { type CompressionOptions, compression } from '../../src/filters/compression.ts'
import { BodyEnd, type BodyExchangeInit, bodyExchange, responseHead } from './body-rig.ts'

const html = { 'content-type': 'text/html' }
const wants = { 'accept-encoding': 'gzip, br, zstd' }

function told(
  lines: Parameters<typeof responseHead>[0],
  init: {
    options?: CompressionOptions
    x?: BodyExchangeInit
    status?: number
    bodyLength?: number
  } = {},
) {
  const filter = compression(init.options)
  const x = bodyExchange({ headers: wants, ...init.x })
  const head = responseHead(lines, init)
  const transformer = filter.responseBody?.(head, x)
  return { head, transformer, filter, x, coding: head.get('content-encoding') }
}

const unpack: Readonly<Record<ContentCoding, (bytes: Buffer) => Promise<Buffer>>> = {
  gzip: promisify<Buffer, Buffer>(zlib.gunzip),
  br: promisify<Buffer, Buffer>(zlib.brotliDecompress),
  zstd: promisify<Buffer, Buffer>(zlib.zstdDecompress),
}

describe('what is compressed', () => {
  it('has the best coding, a weak tag, Vary, and no digests', () => {
    const { head, coding, x } = told({
      ...html,
      etag: '"abc"',
      'accept-ranges': 'bytes',
      'content-md5': 'x',
      digest: 'x',
      'content-digest': 'x',
      'repr-digest': 'x',
      vary: ['Origin', 'Cookie'],
    })
    expect(coding).toBe(supportedCodings()[0])
    expect(Object.fromEntries(head)).toEqual({
      'content-type': 'text/html',
      'content-encoding': coding,
      etag: 'W/"abc"',
      vary: 'Origin, Cookie, Accept-Encoding',
    })
    expect(x.flags).toEqual(['compressed'])
  })

  it('keeps weak tags, and a Vary that says it already', () => {
    const { head } = told({ ...html, etag: 'W/"abc"', vary: 'accept-encoding' })
    expect(head.get('etag')).toBe('W/"abc"')
    expect(head.all('vary')).toEqual(['accept-encoding'])
    expect(told({ ...html, vary: '*' }).head.all('vary')).toEqual(['*'])
  })

  it.each([
    ['a coding is there', { ...html, 'content-encoding': 'br' }, {}],
    ['a coding is named identity', { ...html, 'content-encoding': 'identity' }, {}],
    ['no-transform', { ...html, 'cache-control': 'max-age=1, No-Transform' }, {}],
    ['a range', { ...html, 'content-range': 'bytes 0-9/10' }, {}],
    ['an image', { 'content-type': 'image/png' }, {}],
    ['no type', {}, {}],
    ['short', html, { bodyLength: 1023 }],
    ['empty', html, { bodyLength: 0, options: { minBytes: 0 } }],
    ['204', html, { status: 204 }],
    ['205', html, { status: 205 }],
    ['206', html, { status: 206 }],
    ['304', html, { status: 304 }],
    ['gRPC', { 'content-type': 'application/grpc+proto' }, { options: { types: ['*/*'] } }],
    ['the embedder says no', html, { options: { when: () => false } }],
    [
      'the client forbids it',
      html,
      { x: { headers: { ...wants, 'cache-control': 'no-transform' } } },
    ],
  ] as const)('leaves alone: %s', (_, lines, init) => {
    const before = [...responseHead(lines)]
    const { head, transformer } = told(lines, init)
    expect(transformer).toBeUndefined()
    expect([...head]).toEqual(before)
  })

  it.each([
    ['the client takes none', { headers: {} }, {}],
    ['the client takes others', { headers: { 'accept-encoding': 'deflate' } }, {}],
    ['HTTP/1.0', { version: 'HTTP/1.0' }, {}],
    [
      'the agent is left out',
      { headers: { ...wants, 'user-agent': 'Mozilla/4.0 (compatible; msie 6.0)' } },
      { exceptAgents: [String.raw`MSIE [1-6]\.`] },
    ],
  ] as const)('says Vary though it sends the body as it is: %s', (_, x, options) => {
    const { head, transformer, coding } = told(html, { x, options })
    expect(transformer).toBeUndefined()
    expect(coding).toBeUndefined()
    expect(head.get('vary')).toBe('Accept-Encoding')
  })

  it('takes 1024 bytes and unknown lengths, and HTTP/1.0 when told to', () => {
    expect(told(html, { bodyLength: 1024 }).coding).toBeDefined()
    expect(told(html, { bodyLength: -1 }).coding).toBeDefined()
    const old = { x: { version: 'HTTP/1.0' }, options: { minVersion: 'HTTP/1.0' } } as const
    expect(told(html, old).coding).toBeDefined()
  })

  it('joins the lines of Accept-Encoding', () => {
    const x = { headers: { 'accept-encoding': ['deflate', 'gzip'] } }
    expect(told(html, { x }).coding).toBe('gzip')
  })

  it('compresses no more bodies at one time than allowed', () => {
    const filter = compression({ maxActive: 1 })
    const open = () => filter.responseBody?.(responseHead(html), bodyExchange({ headers: wants }))
    const first = new BodyEnd(open()!)
    expect(filter.active).toBe(1)
    expect(open()).toBeUndefined()
    first.pipe.destroy()
    expect(filter.active).toBe(0)
    expect(open()).toBeDefined()
  })

  it('confirms a weak tag to a client that holds one, with 304', () => {
    const filter = compression()
    const confirm = (held: string) => {
      const head = responseHead({ etag: '"abc"' }, { status: 304 })
      void filter.responseHead?.(head, bodyExchange({ headers: { 'if-none-match': held } }))
      return [head.get('etag'), head.get('vary')]
    }
    expect(confirm('"x", W/"abc"')).toEqual(['W/"abc"', 'Accept-Encoding'])
    expect(confirm('"abc"')).toEqual(['"abc"', undefined])
  })

  it('refuses wrong options with their path', () => {
    expect(() => compression({ codings: [] })).toThrow(/compression\.codings/)
    expect(() => compression({ codings: ['gzip', 'gzip'] })).toThrow(/codings\[1\]/)
    expect(() => compression({ codings: ['deflate' as 'gzip'] })).toThrow(/codings\[0\]/)
    expect(() => compression({ levels: { br: 12 } })).toThrow(/levels\.br/)
    expect(() => compression({ exceptAgents: ['('] })).toThrow(/exceptAgents\[0\]/)
  })
})

const codings = supportedCodings()
const levels = { gzip: 5, br: 4, zstd: 3 }

describe.each(codings)('a body by %s', (coding) => {
  const transformer = (flushMs = 10, clock = manualClock(), closed = () => {}) =>
    zlibTransformer({ coding, level: levels[coding], clock, flushMs, length: -1, closed })

  it('is the same after a round trip, however it is cut and however slow the sink is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 }),
        fc.constantFrom(0, 10),
        fc.constantFrom(1, 700, Number.POSITIVE_INFINITY),
        async (pieces, flushMs, room) => {
          const clock = manualClock()
          const end = new BodyEnd(transformer(flushMs, clock))
          end.room = room
          end.onData = () => setImmediate(() => end.drain())
          for (const piece of pieces) {
            const lent = new Uint8Array(piece)
            end.pipe.write(lent)
            // The range was lent for the call only.
            lent.fill(0)
            clock.advance(3)
          }
          end.pipe.end()
          await end.over
          expect(end.failure).toBeUndefined()
          const plain = Buffer.concat(pieces)
          expect((await unpack[coding](end.bytes)).equals(plain)).toBe(true)
          expect(clock.pending).toBe(0)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('holds the writer up while nobody takes anything, and keeps little', async () => {
    const end = new BodyEnd(transformer())
    end.room = 0
    let seed = 1
    let written = 0
    let stuck = 0
    // A long while without a word that there is room; on a slow machine it is just shorter.
    while (stuck < 500 && written < 10_000_000) {
      if (stuck === 0 || end.readyCount > 0) {
        end.readyCount = 0
        // What cannot be made smaller.
        const piece = Buffer.alloc(16_384)
        for (let i = 0; i < piece.length; i++) {
          seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
          piece[i] = seed >>> 23
        }
        stuck = end.pipe.write(piece) ? 0 : 1
        written += piece.length
      }
      if (stuck > 0) {
        stuck += 1
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    expect(written).toBeLessThan(1_000_000)
    end.room = Number.POSITIVE_INFINITY
    end.drain()
    end.pipe.end()
    await end.over
    expect(await unpack[coding](end.bytes)).toHaveLength(written)
  })

  it('passes on what a slow backend sent, after the flush time', async () => {
    const clock = manualClock()
    const end = new BodyEnd(transformer(10, clock))
    end.pipe.write(Buffer.from('first event'))
    const came = new Promise<void>((resolve) => {
      end.onData = () => {
        if (decoded(coding, end.bytes).includes('first event')) resolve()
      }
    })
    clock.advance(10)
    await came
    expect(end.ended).toBe(false)
    end.pipe.destroy()
  })

  it('passes each event on at once when told to', async () => {
    const clock = manualClock()
    const end = new BodyEnd(transformer(0, clock))
    for (const word of ['one', 'two', 'three']) {
      const came = new Promise<void>((resolve) => {
        end.onData = () => {
          if (decoded(coding, end.bytes).includes(word)) resolve()
        }
      })
      end.pipe.write(Buffer.from(word))
      await came
    }
    expect(clock.pending).toBe(0)
    end.pipe.destroy()
  })

  it('leaves nothing when it is given up, at any point', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 70_000 }), { maxLength: 6 }),
        fc.nat(6),
        fc.nat(3),
        async (pieces, at, turns) => {
          const clock = manualClock()
          let closed = 0
          const end = new BodyEnd(
            transformer(5, clock, () => {
              closed += 1
            }),
          )
          for (const [index, piece] of pieces.entries()) {
            if (index === at) break
            end.pipe.write(piece)
          }
          if (at > 5) end.pipe.end()
          for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
          const wasOver = end.ended
          end.pipe.destroy()
          const size = end.size
          for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
          expect(closed).toBe(1)
          expect(clock.pending).toBe(0)
          expect(end.size).toBe(size)
          expect(end.ended).toBe(wasOver)
          expect(end.failure).toBeUndefined()
        },
      ),
      { numRuns: 40 },
    )
  })

  it('tells of a failure instead of throwing where nobody catches', async () => {
    const end = new BodyEnd(transformer(0))
    end.onData = () => {
      throw new Error('the sink is broken')
    }
    end.pipe.write(Buffer.from('x'))
    await end.over
    expect(end.failure).toMatchObject({ message: 'the sink is broken' })
  })
})

it('arms no timer for a body that is there in one piece', () => {
  const clock = manualClock()
  const end = new BodyEnd(
    zlibTransformer({ coding: 'gzip', level: 5, clock, flushMs: 10, length: 4 }),
  )
  end.pipe.write(Buffer.from('four'))
  expect(clock.pending).toBe(0)
  end.pipe.destroy()
})

/** As far as it goes. */
function decoded(coding: ContentCoding, bytes: Buffer): string {
  const { constants } = zlib
  try {
    if (coding === 'gzip') {
      return zlib.gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString()
    }
    if (coding === 'br') {
      return zlib
        .brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH })
        .toString()
    }
    return zlib.zstdDecompressSync(bytes, { finishFlush: constants.ZSTD_e_flush }).toString()
  } catch {
    return ''
  }
}
