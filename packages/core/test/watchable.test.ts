import { manualClock } from '@steelyard/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { all, any, cell, constant, derive, map, not } from '../src/index.ts'
import { uncaught } from './uncaught.ts'

describe('cell', () => {
  it('tells listeners of changes only, with the value before', () => {
    const value = cell(1)
    const heard: [number, number][] = []
    const subscription = value.watch((now, before) => heard.push([now, before]))
    value.set(1)
    value.set(2)
    subscription[Symbol.dispose]()
    value.set(3)
    expect(heard).toEqual([[2, 1]])
    expect(value.current).toBe(3)
  })

  it('compares by Object.is: NaN is NaN, and an equal object is another one', () => {
    const number = cell(Number.NaN)
    const object = cell<object>({})
    let calls = 0
    number.watch(() => void (calls += 1))
    object.watch(() => void (calls += 1))
    number.set(Number.NaN)
    expect(calls).toBe(0)
    object.set({})
    expect(calls).toBe(1)
  })

  it('tells when the first listener comes and the last one goes, however often it is disposed', () => {
    const seen: string[] = []
    const value = cell(0, { wake: () => seen.push('wake'), rest: () => seen.push('rest') })
    const a = value.watch(() => {})
    const b = value.watch(() => {})
    a[Symbol.dispose]()
    a[Symbol.dispose]()
    expect(seen).toEqual(['wake'])
    b[Symbol.dispose]()
    b[Symbol.dispose]()
    value.watch(() => {})[Symbol.dispose]()
    expect(seen).toEqual(['wake', 'rest', 'wake', 'rest'])
  })

  it('shows no listener an old value or a broken chain when another one sets it again', () => {
    const value = cell(0)
    const heard: [number, number][] = []
    value.watch((now) => {
      if (now < 3) value.set(now + 1)
    })
    value.watch((now, before) => heard.push([now, before]))
    value.set(1)
    expect(heard).toEqual([[3, 0]])
    expect(value.current).toBe(3)
  })

  it('says nothing to those for whom it was set back before they heard', () => {
    const value = cell('a')
    const heard: string[] = []
    value.watch((now) => {
      if (now === 'b') value.set('a')
    })
    value.watch((now) => heard.push(now))
    value.set('b')
    expect([value.current, heard]).toEqual(['a', []])
  })

  it('calls neither who left during the telling, nor who came during it', () => {
    const value = cell(0)
    const heard: string[] = []
    value.watch((now) => {
      heard.push(`a${now}`)
      b[Symbol.dispose]()
      if (now === 1) value.watch((later) => heard.push(`c${later}`))
    })
    const b = value.watch((now) => heard.push(`b${now}`))
    value.set(1)
    value.set(2)
    expect(heard).toEqual(['a1', 'a2', 'c2'])
  })

  it('lets the others hear when one listener throws, and shows the error as uncaught', async () => {
    const value = cell(0)
    const fault = new Error('listener')
    const heard: number[] = []
    value.watch(() => {
      throw fault
    })
    value.watch((now) => heard.push(now))
    const errors = await uncaught(() => value.set(5))
    expect([heard, errors]).toEqual([[5], [fault]])
  })

  it('gives every listener one unbroken chain that ends at the present value, whatever they set', () => {
    const reaction = fc.record({ when: fc.nat(4), then: fc.nat(4) })
    fc.assert(
      fc.property(
        fc.array(reaction, { maxLength: 4 }),
        fc.array(fc.nat(4), { maxLength: 12 }),
        (reactions, values) => {
          const value = cell(0)
          let budget = 50
          const chains = [...reactions, { when: -1, then: 0 }].map(({ when, then }) => {
            const chain = { told: 0 }
            value.watch((now, before) => {
              expect(before).toBe(chain.told)
              expect(now).not.toBe(before)
              expect(now).toBe(value.current)
              chain.told = now
              if (now === when && budget-- > 0) value.set(then)
            })
            return chain
          })
          for (const next of values) {
            value.set(next)
            for (const { told } of chains) expect(told).toBe(value.current)
          }
        },
      ),
    )
  })
})

describe('derived', () => {
  it('subscribes to its sources only while somebody watches', () => {
    let watchers = 0
    const source = cell(1, { wake: () => void (watchers += 1), rest: () => void (watchers -= 1) })
    const doubled = derive([source], (value) => value * 2)
    expect(doubled.current).toBe(2)
    source.set(2)
    expect(doubled.current).toBe(4)
    expect(watchers).toBe(0)
    const heard: number[] = []
    const subscription = doubled.watch((value) => heard.push(value))
    expect(watchers).toBe(1)
    source.set(5)
    subscription[Symbol.dispose]()
    expect(watchers).toBe(0)
    expect(heard).toEqual([10])
  })

  it('tells of changes of its own value only, since the moment of watching', () => {
    const source = cell(1)
    const parity = map(source, (value) => value % 2)
    source.set(2)
    const heard: [number, number][] = []
    parity.watch((now, before) => heard.push([now, before]))
    source.set(4)
    source.set(5)
    expect(heard).toEqual([[1, 0]])
  })

  it('shows no mixture of old and new where two ways lead from one source', () => {
    const source = cell(true)
    const never = all(source, not(source))
    const always = any(not(source), source)
    const sum = derive([source, map(source, Number)], (value, number) => `${value} ${number}`)
    const heard: unknown[] = []
    never.watch((value) => heard.push(value))
    always.watch((value) => heard.push(value))
    sum.watch((value) => heard.push(value))
    source.set(false)
    source.set(true)
    expect(heard).toEqual(['false 0', 'true 1'])
  })

  it('is the same object as long as its sources are', () => {
    const source = cell(1)
    const boxed = map(source, (value) => ({ value }))
    const before = boxed.current
    expect(boxed.current).toBe(before)
    boxed.watch(() => {})
    expect(boxed.current).toBe(before)
    source.set(2)
    expect(boxed.current).not.toBe(before)
    expect(boxed.current).toBe(boxed.current)
  })

  it('combines truths', () => {
    const a = cell(true)
    const b = cell(false)
    expect([all(a, b).current, any(a, b).current, not(a).current]).toEqual([false, true, false])
    expect([all().current, any().current]).toEqual([true, false])
    const fixed = constant(true)
    fixed.watch(() => {})[Symbol.dispose]()
    expect(all(a, fixed).current).toBe(true)
  })

  it('equals its formula at every moment, watched or not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2), fc.boolean()), { maxLength: 20 }), (sets) => {
        const cells = [cell(false), cell(false), cell(false)] as const
        const [a, b, c] = cells
        const rule = any(all(a, not(b)), all(b, c))
        const quiet = any(all(a, not(b)), all(b, c))
        const formula = (): boolean => (a.current && !b.current) || (b.current && c.current)
        let told = rule.current
        rule.watch((now, before) => {
          expect([now, before]).toEqual([formula(), told])
          told = now
        })
        for (const [index, value] of sets) {
          cells[index]!.set(value)
          expect([rule.current, quiet.current, told]).toEqual([formula(), formula(), formula()])
        }
      }),
    )
  })
})

describe('manual clock', () => {
  it('runs timers in order, at their own time, also nested ones', () => {
    const clock = manualClock()
    const ran: [string, number][] = []
    clock.after(20, () => ran.push(['b', clock.now()]))
    clock.after(10, () => {
      ran.push(['a', clock.now()])
      clock.after(5, () => ran.push(['nested', clock.now()]))
    })
    clock.after(99, () => ran.push(['late', clock.now()]))
    clock.advance(30)
    expect(ran).toEqual([
      ['a', 10],
      ['nested', 15],
      ['b', 20],
    ])
    expect(clock.pending).toBe(1)
  })
})
