import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FlowEntry, FlowTable } from '../../src/udp/flow-table.ts'

interface Entry extends FlowEntry<Entry> {
  readonly name: number
}

function entry(address: string, port: number, lane: number, name = 0): Entry {
  return { address, port, lane, name, hash: 0, next: undefined }
}

describe('FlowTable', () => {
  it('tells entries apart by address, port and lane', () => {
    const table = new FlowTable<Entry>(1)
    const entries = [
      entry('10.0.0.1', 53, -1),
      entry('10.0.0.1', 54, -1),
      entry('10.0.0.1', 53, 0),
      entry('10.0.0.10', 53, -1),
      entry('::ffff:10.0.0.1', 53, -1),
    ]
    for (const one of entries) table.add(one)
    for (const one of entries) expect(table.find(one.address, one.port, one.lane)).toBe(one)
    expect(table.find('10.0.0.1', 55, -1)).toBeUndefined()
    expect(table.size).toBe(5)
  })

  it('removes only the very entry it is given', () => {
    const table = new FlowTable<Entry>(1)
    const one = entry('10.0.0.1', 53, -1)
    table.add(one)
    expect(table.remove(entry('10.0.0.1', 53, -1))).toBe(false)
    expect(table.remove(one)).toBe(true)
    expect(table.remove(one)).toBe(false)
    expect(table.size).toBe(0)
  })

  it('agrees with a Map under any sequence of additions and removals, growing and shrinking', () => {
    const step = fc.record({
      add: fc.boolean(),
      address: fc.integer({ min: 0, max: 40 }),
      port: fc.integer({ min: 0, max: 6 }),
      lane: fc.integer({ min: -1, max: 1 }),
    })
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 600, size: 'max' }), (seed, steps) => {
        const table = new FlowTable<Entry>(seed)
        const model = new Map<string, Entry>()
        for (const [name, { add, address, port, lane }] of steps.entries()) {
          const text = `10.0.0.${address}`
          const key = `${text} ${port} ${lane}`
          const known = model.get(key)
          expect(table.find(text, port, lane)).toBe(known)
          if (add && known === undefined) {
            const fresh = entry(text, port, lane, name)
            model.set(key, fresh)
            table.add(fresh)
          } else if (!add && known !== undefined) {
            model.delete(key)
            expect(table.remove(known)).toBe(true)
          }
          expect(table.size).toBe(model.size)
        }
        expect(new Set(table.entries())).toEqual(new Set(model.values()))
      }),
      { numRuns: 60 },
    )
  })

  it('spreads neighbouring clients evenly over its buckets', () => {
    const table = new FlowTable<Entry>(99)
    for (let host = 0; host < 64; host++) {
      for (let port = 0; port < 64; port++) table.add(entry(`10.0.0.${host}`, 1024 + port, -1))
    }
    // A chain is as long as an entry's distance to its end; a fair hash makes few above 8 at load 1.
    const depth = (one: Entry): number => (one.next === undefined ? 1 : 1 + depth(one.next))
    const longest = Math.max(...table.entries().map(depth))
    expect(longest).toBeLessThanOrEqual(9)
  })
})
