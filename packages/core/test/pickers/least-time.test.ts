import { pickerRig, pickerSuite, type RigMember } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { backend, leastTime, loadTable, roster, type Selector, untried } from '../../src/index.ts'

pickerSuite('leastTime', leastTime, { weighted: true, affinity: false, evenness: 0.08 })
pickerSuite('leastTime of all', () => leastTime({ choices: 'all' }), {
  weighted: true,
  affinity: false,
  evenness: 0.08,
})

/** A full scan with a clock by hand, and who is in which slot. */
function timed(ids: string, options: Parameters<typeof leastTime>[0] = {}) {
  let now = 1_000_000
  const load = loadTable(64)
  const names = ids.split('')
  const selector: Selector = leastTime({ choices: 'all', ...options }).open({
    random: () => 0.5,
    now: () => now,
  })
  const use = (present: readonly string[], weights: Readonly<Record<string, number>> = {}): void =>
    selector.update(
      roster({
        backends: present.map((id) => backend({ id, address: '10.0.0.1:80' })),
        slots: Int32Array.from(present, (id) => names.indexOf(id)),
        weights: Float64Array.from(present, (id) => weights[id] ?? 1),
        limits: new Int32Array(present.length),
        load,
        boundedLoad: 0,
      }),
    )
  use(names)
  return {
    load,
    use,
    wait: (ms: number): void => void (now += ms),
    pick: (): string | undefined => names[selector.pick(0, untried)],
    observe: (id: string, ms: number): void => selector.observe!(names.indexOf(id), ms),
    open: (id: string): void => load.open(names.indexOf(id)),
    close: (id: string): void => load.close(names.indexOf(id)),
    fail: (id: string): void => load.fail(names.indexOf(id)),
  }
}

describe('leastTime', () => {
  it('asks every unmeasured member once, then prefers those that answered', () => {
    const { pick, observe } = timed('abc')
    expect([pick(), pick(), pick()]).toEqual(['a', 'b', 'c'])
    observe('b', 20)
    expect([pick(), pick()]).toEqual(['b', 'b'])
    observe('a', 10)
    expect(pick()).toBe('a')
  })

  it('weighs latency against connections and weight', () => {
    const { pick, observe, open, use, load } = timed('ab')
    pick()
    pick()
    observe('a', 10)
    observe('b', 25)
    expect(pick()).toBe('a')
    open('a')
    expect(pick()).toBe('a')
    open('a')
    // 10 × 3 against 25 × 1.
    expect(pick()).toBe('b')
    use(['a', 'b'], { a: 2 })
    // 10 × 3 / 2.
    expect(pick()).toBe('a')
    expect(load.active[0]).toBe(2)
  })

  it('takes a peak at once and forgets it slowly', () => {
    const { pick, observe, wait } = timed('ab')
    pick()
    pick()
    observe('a', 10)
    observe('b', 12)
    expect(pick()).toBe('a')
    observe('a', 1000)
    expect(pick()).toBe('b')
    // 1000 × e^-1 + 10 × (1 - e^-1) = 374 after one decay time, but 12 is seen anew each time.
    wait(10_000)
    observe('a', 10)
    observe('b', 12)
    expect(pick()).toBe('b')
    for (let i = 0; i < 60; i++) {
      wait(1000)
      observe('a', 10)
      observe('b', 12)
    }
    expect(pick()).toBe('a')
  })

  it('computes the average as published', () => {
    // Find a's average after one blend by comparing it with b, measured at that moment.
    const averageIsBelow = (probe: number): boolean => {
      const { pick, observe, wait } = timed('ab', { decay: '10s' })
      pick()
      pick()
      observe('a', 100)
      wait(5000)
      observe('a', 20)
      observe('b', probe)
      return pick() === 'a'
    }
    const wanted = 100 * Math.exp(-0.5) + 20 * (1 - Math.exp(-0.5))
    expect(averageIsBelow(wanted + 0.001)).toBe(true)
    expect(averageIsBelow(wanted - 0.001)).toBe(false)
  })

  it('asks a slow member again after a while', () => {
    const { pick, observe, wait } = timed('ab')
    pick()
    pick()
    observe('a', 10)
    observe('b', 500)
    let asked = 0
    for (let second = 0; second < 120 && asked === 0; second++) {
      wait(1000)
      const id = pick()!
      if (id === 'b') asked = second
      observe(id, id === 'a' ? 10 : 500)
    }
    // ln(500 / 10) decay times.
    expect(asked).toBeGreaterThan(30)
    expect(asked).toBeLessThan(45)
  })

  it('does not feed a member that never answers, nor one that fails fast', () => {
    const { pick, observe, fail, wait } = timed('ab')
    const counts = { a: 0, b: 0 }
    for (let i = 0; i < 2000; i++) {
      wait(10)
      const id = pick() as 'a' | 'b'
      counts[id] += 1
      if (id === 'a') fail('a')
      else observe('b', 2)
    }
    expect(counts.a).toBeLessThan(5)
    const fast = timed('ab')
    for (let i = 0; i < 10; i++) fast.observe(fast.pick()!, 5)
    const after = { a: 0, b: 0 }
    for (let i = 0; i < 2000; i++) {
      fast.wait(10)
      const id = fast.pick() as 'a' | 'b'
      after[id] += 1
      if (id === 'a') fast.fail('a')
      else fast.observe('b', 5)
    }
    expect(after.a).toBeLessThan(20)
    expect(after.a).toBeGreaterThan(0)
  })

  it('keeps averages over a change of the roster, and measures one that returns anew', () => {
    const { pick, observe, use } = timed('abc')
    for (const id of 'abc') {
      pick()
      observe(id, id === 'b' ? 5 : 50)
    }
    use(['b', 'c'])
    expect(pick()).toBe('b')
    observe('b', 500)
    expect(pick()).toBe('c')
    use(['a', 'b', 'c'])
    expect(pick()).toBe('a')
    expect(pick()).toBe('c')
    // Somebody who is not in the roster any more may still answer.
    use(['a', 'c'])
    observe('b', 1)
    observe('a', 1)
    expect(pick()).toBe('a')
  })

  it('stays exact over days', () => {
    const { pick, observe, wait } = timed('ab', { decay: '1s' })
    pick()
    pick()
    for (let hour = 0; hour < 72; hour++) {
      wait(3_600_000)
      observe('a', 10)
      observe('b', 11)
      expect([pick(), pick(), pick()]).toEqual(['a', 'a', 'a'])
      observe('a', 12)
      expect([pick(), pick(), pick()]).toEqual(['b', 'b', 'b'])
    }
  })

  it('bears any latency that it is told', () => {
    const { pick, observe } = timed('ab')
    pick()
    pick()
    observe('b', 1)
    for (const strange of [Number.NaN, -5, 0]) {
      observe('a', strange)
      expect(pick()).toBe('a')
    }
    observe('a', Infinity)
    expect(pick()).toBe('b')
    observe('nobody', 3)
    expect(pick()).toBe('b')
  })

  it('needs no clock for a pick of measured members', () => {
    let reads = 0
    const selector = leastTime().open({ random: Math.random, now: () => reads++ })
    const rig = pickerRig(leastTime(), [{ id: 'a' }, { id: 'b' }] satisfies RigMember[])
    selector.update(rig.roster)
    for (let i = 0; i < 50; i++) selector.observe!(selector.pick(0, untried), 1)
    const before = reads
    for (let i = 0; i < 50; i++) selector.pick(0, untried)
    expect(reads).toBe(before)
  })

  it('refuses wrong options', () => {
    expect(() => leastTime({ choices: 1 })).toThrow(
      'leastTime.choices: 1 does not fit: use a whole number from 2 to 64 or all',
    )
    expect(() => leastTime({ decay: 0 })).toThrow(/^leastTime\.decay: 0 does not fit/)
    expect(() => leastTime({ decay: 'soon' })).toThrow(/^leastTime\.decay: "soon"/)
    expect(() => leastTime({ penalty: true as unknown as string })).toThrow(/^leastTime\.penalty: /)
  })
})
