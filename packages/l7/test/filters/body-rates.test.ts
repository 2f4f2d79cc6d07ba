import { pool } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pacedBody } from '../../src/filters/bandwidth/paced-body.ts'
import { bandwidth } from '../../src/filters/bandwidth.ts'
import { responseLimit } from '../../src/filters/body-limit.ts'
import { BodyEnd, bodyExchange, responseHead } from './body-rig.ts'

describe('a bandwidth limit', () => {
  it('passes the burst at once, and then as much as time allows', () => {
    const clock = manualClock()
    const end = new BodyEnd(pacedBody(clock, 1000, 500))
    expect(end.pipe.write(new Uint8Array(2500))).toBe(false)
    expect(end.size).toBe(500)
    clock.advance(1000)
    expect(end.size).toBeGreaterThanOrEqual(1450)
    expect(end.size).toBeLessThanOrEqual(1500)
    expect(end.readyCount).toBe(0)
    clock.advance(1000)
    expect(end.size).toBe(2500)
    expect(end.readyCount).toBe(1)
    end.pipe.end()
    expect(end.ended).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('saves up for a burst in a pause', () => {
    const clock = manualClock()
    const end = new BodyEnd(pacedBody(clock, 1000, 500))
    end.pipe.write(new Uint8Array(500))
    clock.advance(60_000)
    end.pipe.write(new Uint8Array(600))
    expect(end.size).toBe(1000)
  })

  it('passes everything on as it was, never faster than allowed, whoever is slow', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.constantFrom(10, 100, Number.POSITIVE_INFINITY),
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 10 }),
        (pieces, rate, burst, room, pauses) => {
          const clock = manualClock()
          const end = new BodyEnd(pacedBody(clock, rate, burst))
          end.room = room
          end.onData = () => {
            expect(end.size).toBeLessThanOrEqual(burst + (clock.now() * rate) / 1000 + 1)
          }
          let turn = 0
          for (const piece of pieces) {
            const lent = new Uint8Array(piece)
            end.pipe.write(lent)
            lent.fill(0)
            clock.advance(pauses[turn % pauses.length]!)
            if (turn % 2 === 0) end.drain()
            turn += 1
          }
          end.pipe.end()
          for (let i = 0; i < 100_000 && !end.ended; i++) {
            clock.advance(50)
            end.drain()
          }
          expect(end.ended).toBe(true)
          expect(end.bytes).toEqual(Buffer.concat(pieces))
          expect(clock.pending).toBe(0)
        },
      ),
    )
  })

  it('leaves nothing when it is given up', () => {
    const clock = manualClock()
    const end = new BodyEnd(pacedBody(clock, 10, 10))
    end.pipe.write(new Uint8Array(100))
    end.pipe.destroy()
    expect(clock.pending).toBe(0)
    clock.advance(60_000)
    expect(end.size).toBe(10)
  })

  it('is for the directions that are asked for, and says that bytes stay as they are', () => {
    const x = bodyExchange()
    const both = bandwidth({ bytesPerSecond: '1KiB' })
    expect(both.requestBody?.(x)?.unchanged).toBe(true)
    expect(both.responseBody?.(responseHead(), x)?.unchanged).toBe(true)
    expect(bandwidth({ bytesPerSecond: 1, direction: 'request' }).responseBody).toBeUndefined()
    expect(bandwidth({ bytesPerSecond: 1, direction: 'response' }).requestBody).toBeUndefined()
    expect(() => bandwidth({ bytesPerSecond: 0 })).toThrow(/bandwidth\.bytesPerSecond/)
    expect(() => bandwidth({ bytesPerSecond: 1, burst: 0 })).toThrow(/bandwidth\.burst/)
  })
})

describe('a limit of responses', () => {
  const filter = responseLimit({ maxBytes: 10 })
  const x = bodyExchange()
  x.backend = pool({ backends: ['10.0.0.1:80'] }).members()[0]!.backend

  it('does not begin a response that says that it is longer', () => {
    const open = (bodyLength: number, exchange = x) =>
      filter.responseHead?.(responseHead({}, { bodyLength }), exchange)
    expect(() => open(11)).toThrow(
      expect.objectContaining({ code: 'bad-response', source: 'backend' }),
    )
    expect(() => open(10)).not.toThrow()
    expect(() => open(11, bodyExchange())).not.toThrow()
    const head = bodyExchange({ method: 'HEAD' })
    head.backend = x.backend
    expect(() => open(11, head)).not.toThrow()
  })

  it('cuts one that turns out to be', () => {
    expect(filter.responseBody?.(responseHead({}, { bodyLength: 10 }), x)).toBeUndefined()
    const end = new BodyEnd(filter.responseBody!(responseHead(), x)!)
    end.pipe.write(new Uint8Array(10))
    expect(end.failure).toBeUndefined()
    end.pipe.write(new Uint8Array(1))
    expect(end.failure).toMatchObject({ code: 'bad-response' })
    expect(end.size).toBe(10)
    end.pipe.end()
    expect(end.ended).toBe(false)
  })
})
