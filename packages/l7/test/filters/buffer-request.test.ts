import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bufferRequest } from '../../src/filters/buffer-request.ts'
import { BodyEnd, bodyExchange } from './body-rig.ts'
import { ask, finish, statusOf } from './fake-exchange.ts'

describe('a buffered request', () => {
  it('passes at once when there is no body, or it is an upgrade', () => {
    const filter = bufferRequest()
    const upgrade = { headers: { upgrade: 'websocket' }, bodyLength: -1 }
    for (const x of [bodyExchange(), bodyExchange(upgrade)]) {
      expect(ask(filter, x)).toBeUndefined()
      expect(filter.gather?.(x)).toBeUndefined()
      expect(filter.requestBody?.(x)).toBeUndefined()
      finish(filter, x)
    }
    expect(filter.reserved).toBe(0)
  })

  it('tells the engine how much to hold: its length, or the bound when that is not known', () => {
    const filter = bufferRequest({ maxBytes: 1000 })
    for (const [bodyLength, held] of [
      [300, 300],
      [1000, 1000],
      [-1, 1000],
    ] as const) {
      const x = bodyExchange({ bodyLength })
      expect(ask(filter, x)).toBeUndefined()
      expect(filter.gather?.(x)).toBe(held)
      expect(filter.reserved).toBe(held)
      // The engine holds it: nothing is held twice.
      expect(filter.requestBody?.(x)).toBeUndefined()
      finish(filter, x)
      finish(filter, x)
      expect(filter.reserved).toBe(0)
    }
  })

  it('refuses what says that it is too long, before it is read', () => {
    const filter = bufferRequest({ maxBytes: 1000 })
    const verdict = ask(filter, bodyExchange({ bodyLength: 1001 }))
    expect(verdict).toMatchObject({ status: 413, reason: 'body-too-large' })
    expect(filter.reserved).toBe(0)
  })

  it('refuses with 503 when the memory for all is used up, until somebody is done', () => {
    const filter = bufferRequest({ maxBytes: 600, memoryBytes: 1000 })
    const first = bodyExchange({ bodyLength: -1 })
    const second = bodyExchange({ bodyLength: 401 })
    expect(statusOf(ask(filter, first))).toBe(0)
    expect(ask(filter, second)).toMatchObject({
      status: 503,
      reason: 'overloaded',
      headers: { 'retry-after': '1' },
    })
    expect(second.flags).toEqual(['no-buffer'])
    finish(filter, second)
    expect(filter.reserved).toBe(600)
    finish(filter, first)
    expect(statusOf(ask(filter, bodyExchange({ bodyLength: 401 })))).toBe(0)
  })

  it('without a gathering engine: gives the body away in one piece at its end', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }), (pieces) => {
        const filter = bufferRequest({ maxBytes: 4000 })
        const x = bodyExchange({ bodyLength: -1 })
        ask(filter, x)
        const transformer = filter.requestBody!(x)!
        expect(transformer.unchanged).toBe(true)
        const end = new BodyEnd(transformer)
        for (const piece of pieces) {
          const lent = new Uint8Array(piece)
          expect(end.pipe.write(lent)).toBe(true)
          lent.fill(0)
        }
        expect(end.size).toBe(0)
        end.pipe.end()
        expect(end.ended).toBe(true)
        expect(end.bytes).toEqual(Buffer.concat(pieces))
      }),
    )
  })

  it('without a gathering engine: fails one that turns out to be too long, once', () => {
    const filter = bufferRequest({ maxBytes: 10 })
    const x = bodyExchange({ bodyLength: -1 })
    ask(filter, x)
    const end = new BodyEnd(filter.requestBody!(x)!)
    end.pipe.write(new Uint8Array(10))
    expect(end.failure).toBeUndefined()
    end.pipe.write(new Uint8Array(1))
    expect(end.failure).toMatchObject({ code: 'body-too-large', source: 'client' })
    end.pipe.end()
    expect(end.size).toBe(0)
    expect(end.ended).toBe(false)
  })
})
