import { manualClock } from '@steelyard/testing'
import { describe, expect, it } from 'vitest'
import { all, any, cell, derive, not } from '../src/index.ts'

describe('watchable', () => {
  it('tells listeners of changes only, with the value before', () => {
    const value = cell(1)
    const heard: [number, number][] = []
    const subscription = value.watch((now, before) => heard.push([now, before]))
    value.set(1)
    value.set(2)
    subscription[Symbol.dispose]()
    value.set(3)
    expect(heard).toEqual([[2, 1]])
  })

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

  it('combines truths', () => {
    const a = cell(true)
    const b = cell(false)
    expect([all(a, b).current, any(a, b).current, not(a).current]).toEqual([false, true, false])
    expect([all().current, any().current]).toEqual([true, false])
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
