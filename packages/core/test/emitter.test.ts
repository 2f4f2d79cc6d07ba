import { describe, expect, it } from 'vitest'
import { emitter } from '../src/index.ts'
import { uncaught } from './uncaught.ts'

describe('emitter', () => {
  interface Events {
    readonly ping: number
    readonly pong: string
  }

  it('calls each listener of that name in order, until disposed', () => {
    const events = emitter<Events>()
    const heard: unknown[] = []
    const first = events.on('ping', (n) => heard.push(['first', n]))
    events.on('ping', (n) => heard.push(['second', n]))
    events.on('pong', (text) => heard.push(text))
    events.emit('ping', 1)
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    events.emit('ping', 2)
    events.emit('pong', 'x')
    expect(heard).toEqual([['first', 1], ['second', 1], ['second', 2], 'x'])
  })

  it('counts the same function twice when it was given twice', () => {
    const events = emitter<Events>()
    let calls = 0
    const listener = (): void => void (calls += 1)
    const one = events.on('ping', listener)
    events.on('ping', listener)
    events.emit('ping', 1)
    one[Symbol.dispose]()
    events.emit('ping', 1)
    expect(calls).toBe(3)
  })

  it('lets listeners come and go during an emit', () => {
    const events = emitter<Events>()
    const heard: string[] = []
    events.on('ping', () => {
      heard.push('a')
      b[Symbol.dispose]()
      if (heard.length === 1) events.on('ping', () => heard.push('c'))
    })
    const b = events.on('ping', () => heard.push('b'))
    events.emit('ping', 1)
    expect(heard).toEqual(['a'])
    events.emit('ping', 1)
    expect(heard).toEqual(['a', 'a', 'c'])
  })

  it('lets the others hear when one throws, and shows the error as uncaught', async () => {
    const events = emitter<Events>()
    const heard: number[] = []
    const fault = new Error('listener')
    events.on('ping', () => {
      throw fault
    })
    events.on('ping', (n) => heard.push(n))
    const errors = await uncaught(() => events.emit('ping', 7))
    expect(heard).toEqual([7])
    expect(errors).toEqual([fault])
  })
})
