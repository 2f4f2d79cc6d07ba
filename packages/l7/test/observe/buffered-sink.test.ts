import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { silentLog } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bufferedSink, type LineStream } from '../../src/observe/buffered-sink.ts'

/** A consumer that takes a piece only when it is told to. */
function slowStream(): LineStream & {
  readonly pieces: string[]
  readonly waiting: boolean
  take(error?: Error): void
} {
  const pieces: string[] = []
  let pending: ((error?: Error | null) => void) | undefined
  return {
    pieces,
    get waiting() {
      return pending !== undefined
    },
    write(piece, done) {
      if (pending !== undefined) throw new Error('a second piece before the first was taken')
      pieces.push(Buffer.from(piece).toString())
      pending = done
    },
    take(error) {
      const done = pending
      pending = undefined
      done?.(error ?? null)
    },
  }
}

describe('a buffered sink', () => {
  it('gathers lines until it is time, or enough', () => {
    const clock = manualClock()
    const stream = slowStream()
    const sink = bufferedSink(stream, { clock, flushMs: 100, batchBytes: 10 })
    expect(sink.write('one')).toBe(true)
    sink.write('two')
    expect(stream.pieces).toEqual([])
    clock.advance(99)
    expect(stream.pieces).toEqual([])
    clock.advance(1)
    expect(stream.pieces).toEqual(['one\ntwo\n'])
    stream.take()
    sink.write('123456789')
    expect(stream.pieces).toEqual(['one\ntwo\n', '123456789\n'])
    stream.take()
    expect({ written: sink.written, queued: sink.queued, timers: clock.pending }).toEqual({
      written: 3,
      queued: 0,
      timers: 0,
    })
  })

  it('hands over one piece at a time, and what came meanwhile right behind it', () => {
    const clock = manualClock()
    const stream = slowStream()
    const sink = bufferedSink(stream, { clock, flushMs: 100 })
    sink.write('a')
    clock.advance(100)
    sink.write('b')
    sink.write('c')
    clock.advance(100)
    expect(stream.pieces).toEqual(['a\n'])
    stream.take()
    expect(stream.pieces).toEqual(['a\n', 'b\nc\n'])
  })

  it('drops what there is no room for, and says so once an interval', () => {
    const clock = manualClock()
    const stream = slowStream()
    const warned: unknown[] = []
    const sink = bufferedSink(stream, {
      clock,
      maxBytes: 20,
      flushMs: 10,
      noticeEvery: '10s',
      log: { ...silentLog, warn: (fields) => void warned.push(fields) },
    })
    expect(sink.write('0123456789')).toBe(true)
    clock.advance(10)
    expect(sink.write('01234567')).toBe(true)
    for (let i = 0; i < 5; i++) expect(sink.write('x')).toBe(false)
    expect({ dropped: sink.dropped, queued: sink.queued }).toEqual({ dropped: 5, queued: 20 })
    clock.advance(10)
    stream.take()
    expect(stream.pieces[1]).toBe('01234567\n{"dropped":5,"time":"2023-11-14T22:13:20.020Z"}\n')
    // The next ones within the interval are told of at its end, even when no line comes any more.
    for (let i = 0; i < 3; i++) sink.write('y'.repeat(30))
    stream.take()
    clock.advance(9_000)
    expect(stream.waiting).toBe(false)
    clock.advance(1_000)
    expect(stream.pieces[2]).toBe('{"dropped":3,"time":"2023-11-14T22:13:30.020Z"}\n')
    stream.take()
    expect(warned).toEqual([{ dropped: 5 }, { dropped: 3 }])
    expect({ written: sink.written, dropped: sink.dropped, timers: clock.pending }).toEqual({
      written: 2,
      dropped: 8,
      timers: 0,
    })
  })

  it('counts the lines of a failed write, goes on, and tells the log why', () => {
    const clock = manualClock()
    const stream = slowStream()
    const warned: Record<string, unknown>[] = []
    const sink = bufferedSink(stream, {
      clock,
      notice: 'text',
      log: { ...silentLog, warn: (fields) => void warned.push(fields) },
    })
    sink.write('lost')
    sink.write('too')
    sink.flush()
    const error = new Error('EPIPE')
    stream.take(error)
    sink.write('kept')
    sink.flush()
    expect(stream.pieces).toEqual(['lost\ntoo\n', 'kept\n# 2 lines dropped\n'])
    stream.take()
    expect({ written: sink.written, dropped: sink.dropped }).toEqual({ written: 1, dropped: 2 })
    expect(warned).toEqual([{ dropped: 2, error }])
  })

  it('survives a stream whose write throws', () => {
    const sink = bufferedSink(
      {
        write() {
          throw new Error('destroyed')
        },
      },
      { clock: manualClock() },
    )
    sink.write('a')
    sink.flush()
    expect({ dropped: sink.dropped, queued: sink.queued }).toEqual({ dropped: 1, queued: 0 })
  })

  it('hands over everything when it is closed, then takes nothing', async () => {
    const clock = manualClock()
    const stream = slowStream()
    const sink = bufferedSink(stream, { clock, notice: 'text' })
    sink.write('a')
    sink.flush()
    sink.write('b')
    const closed = sink.close()
    expect(sink.write('late')).toBe(false)
    stream.take()
    expect(stream.pieces).toEqual(['a\n', 'b\n# 1 lines dropped\n'])
    stream.take()
    await closed
    expect({ written: sink.written, dropped: sink.dropped, timers: clock.pending }).toEqual({
      written: 2,
      dropped: 1,
      timers: 0,
    })
  })

  it('does not wait for a stuck stream for ever', async () => {
    const clock = manualClock()
    const stream = slowStream()
    const sink = bufferedSink(stream, { clock, closeWithin: '1s' })
    sink.write('a')
    sink.flush()
    sink.write('b')
    const closed = sink.close()
    clock.advance(1000)
    await closed
    stream.take()
    expect({ pieces: stream.pieces, dropped: sink.dropped, timers: clock.pending }).toEqual({
      pieces: ['a\n'],
      dropped: 1,
      timers: 0,
    })
  })

  it('closes at once when nothing waits, also twice', async () => {
    const sink = bufferedSink(slowStream(), { clock: manualClock() })
    await Promise.all([sink.close(), sink.close()])
    expect(sink.queued).toBe(0)
  })

  it('writes to Node streams', async () => {
    const stream = new PassThrough()
    await using sink = bufferedSink(stream)
    sink.write('grüße')
    sink.flush()
    const [piece] = (await once(stream, 'data')) as [Buffer]
    expect(piece.toString()).toBe('grüße\n')
  })

  it('writes to descriptors, and to another one after a rotation', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'steelyard-sink-'))
    try {
      const [first, second] = ['a.log', 'b.log'].map((name) => openSync(join(folder, name), 'a'))
      const sink = bufferedSink(first!, { flushMs: 1 })
      const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`)
      for (const line of lines) sink.write(line)
      sink.flush()
      sink.redirect(second!)
      sink.write('afterwards')
      await sink.close()
      closeSync(first!)
      closeSync(second!)
      expect(readFileSync(join(folder, 'a.log'), 'utf8')).toBe(`${lines.join('\n')}\n`)
      expect(readFileSync(join(folder, 'b.log'), 'utf8')).toBe('afterwards\n')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('neither loses nor doubles a line that it took, in any order of events', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), size: fc.nat(30) }),
      fc.record({ kind: fc.constantFrom('take', 'fail', 'flush', 'tick'), size: fc.nat(300) }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const clock = manualClock()
        const stream = slowStream()
        const options = {
          clock,
          maxBytes: 100,
          batchBytes: 40,
          flushMs: 50,
          notice: 'text',
        } as const
        const sink = bufferedSink(stream, options)
        let count = 0
        let failed = 0
        let refused = 0
        for (const { kind, size } of events) {
          if (kind === 'write') {
            if (!sink.write(`${count++}:`.padEnd(size, 'x'))) refused += 1
          } else if (kind === 'take') stream.take()
          else if (kind === 'fail') {
            if (stream.waiting) failed += linesOf(stream.pieces.at(-1)!).length
            stream.take(new Error('x'))
          } else if (kind === 'flush') sink.flush()
          else clock.advance(size)
          expect(sink.queued).toBeLessThanOrEqual(100 + '# 99 lines dropped\n'.length)
        }
        void sink.close()
        for (let i = 0; i < 10; i++) stream.take()
        expect(sink.written + sink.dropped).toBe(count)
        expect(sink.dropped).toBe(refused + failed)
        const seen = linesOf(stream.pieces.join('')).map((line) => Number.parseInt(line, 10))
        expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b))
        expect(seen).toHaveLength(count - refused)
        expect(clock.pending).toBe(0)
      }),
    )
  })

  it.each([
    [undefined, {}, /bufferedSink\.target: is needed/],
    [-1, {}, /bufferedSink\.target: -1 is no file descriptor/],
    [slowStream(), { maxBytes: 0 }, /bufferedSink\.maxBytes: must be more than 0/],
    [slowStream(), { notice: 'yaml' }, /"yaml" is none of json, text/],
  ] as const)('refuses %j %j', (target, options, message) => {
    expect(() => bufferedSink(target as never, options as never)).toThrow(message)
  })
})

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}
