import { describe, expect, it } from 'vitest'
import {
  type LifecycleSteps,
  lifecycle,
  type Service,
  type StartOptions,
  SteelyardError,
  type StopOptions,
  startAll,
  stopAll,
} from '../src/index.ts'

const fault = new SteelyardError('broken', { code: 'broken', source: 'system' })

/** Steps that note what happens and end when the test says so. */
function steps(seen: unknown[], over: Partial<LifecycleSteps> = {}) {
  const opening = Promise.withResolvers<void>()
  const closing = Promise.withResolvers<void>()
  const all: LifecycleSteps = {
    open(signal) {
      seen.push(['open', signal])
      return opening.promise
    },
    close(drainMs, signal) {
      seen.push(['close', drainMs, signal])
      return closing.promise
    },
    ...over,
  }
  return { all, opening, closing }
}

describe('lifecycle', () => {
  it('starts once and stops once, whatever is called how often', async () => {
    const seen: unknown[] = []
    const { all, opening, closing } = steps(seen)
    const life = lifecycle('x', 5_000, all)
    expect(life.state).toBe('idle')
    const start = life.start()
    expect([life.state, life.start()]).toEqual(['starting', start])
    opening.resolve()
    await start
    expect(life.state).toBe('running')
    const stop = life.stop()
    expect([life.state, life.stop({ drain: 0 })]).toEqual(['stopping', stop])
    closing.resolve()
    await stop
    expect([life.state, await life.closed]).toEqual(['stopped', undefined])
    expect(seen).toEqual([
      ['open', undefined],
      ['close', 5_000, undefined],
    ])
  })

  it('hands over the drain time and the signals', async () => {
    const seen: unknown[] = []
    const { all, opening, closing } = steps(seen)
    const life = lifecycle('x', 5_000, all)
    const starting = new AbortController()
    const stopping = new AbortController()
    opening.resolve()
    closing.resolve()
    await life.start({ signal: starting.signal })
    await life.stop({ drain: '2s', signal: stopping.signal })
    expect(seen).toEqual([
      ['open', starting.signal],
      ['close', 2_000, stopping.signal],
    ])
  })

  it('waits with a stop for the start under way, and then closes', async () => {
    const seen: string[] = []
    const { all, opening } = steps([], { close: async () => void seen.push('closed') })
    const life = lifecycle('x', 0, all)
    const start = life.start()
    const stop = life.stop()
    expect(life.state).toBe('stopping')
    opening.resolve()
    await start
    expect(life.state).not.toBe('running')
    await stop
    expect([life.state, seen]).toEqual(['stopped', ['closed']])
  })

  it('does not start after a stop, and then has nothing to close', async () => {
    const seen: unknown[] = []
    const life = lifecycle('edge', 0, steps(seen).all)
    await life.stop()
    await expect(life.start()).rejects.toMatchObject({
      code: 'stopped',
      message: 'edge was stopped and does not start again',
    })
    expect([seen, life.state, await life.closed]).toEqual([[], 'stopped', undefined])
  })

  it('is stopped by a failed start, tells why, and closes nothing', async () => {
    const seen: unknown[] = []
    const { all, opening } = steps(seen)
    const life = lifecycle('x', 0, all)
    const start = life.start()
    opening.reject(fault)
    await expect(start).rejects.toBe(fault)
    await expect(life.start()).rejects.toBe(fault)
    expect([life.state, await life.closed]).toEqual(['stopped', fault])
    await life.stop()
    expect(seen).toEqual([['open', undefined]])
    await expect(life.start()).rejects.toMatchObject({ code: 'stopped' })
  })

  it('resolves a stop whose start fails meanwhile', async () => {
    const { all, opening } = steps([])
    const life = lifecycle('x', 0, all)
    const start = life.start()
    const stop = life.stop()
    opening.reject(fault)
    await expect(start).rejects.toBe(fault)
    await stop
    expect([life.state, await life.closed]).toEqual(['stopped', fault])
  })

  it('opens nothing when the signal has aborted already', async () => {
    const seen: unknown[] = []
    const life = lifecycle('x', 0, steps(seen).all)
    const reason = new Error('too late')
    await expect(life.start({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect([seen, life.state]).toEqual([[], 'stopped'])
  })

  it('takes a wrong drain time for a mistake, and not for the one stop there is', async () => {
    const seen: unknown[] = []
    const { all, opening, closing } = steps(seen)
    opening.resolve()
    closing.resolve()
    const life = lifecycle('x', 0, all)
    await life.start()
    await expect(life.stop({ drain: 'soon' })).rejects.toMatchObject({ code: 'invalid-option' })
    expect(life.state).toBe('running')
    await life.stop({ drain: '1s' })
    expect(seen).toEqual([
      ['open', undefined],
      ['close', 1_000, undefined],
    ])
  })

  it('stops without drain when it fails, and tells of the first failure', async () => {
    const seen: unknown[] = []
    const { all, opening, closing } = steps(seen)
    opening.resolve()
    closing.resolve()
    const life = lifecycle('x', 9_000, all)
    await life.start()
    life.fail(fault)
    life.fail(new SteelyardError('second', { code: 'second', source: 'system' }))
    expect(await life.closed).toBe(fault)
    await life.stop()
    expect(seen).toEqual([
      ['open', undefined],
      ['close', 0, undefined],
    ])
  })

  it('closes what was opened when it fails in the middle of the start', async () => {
    const seen: unknown[] = []
    const { all, opening, closing } = steps(seen)
    closing.resolve()
    const life = lifecycle('x', 9_000, {
      ...all,
      open(signal) {
        const opened = all.open(signal)
        life.fail(fault)
        return opened
      },
    })
    const start = life.start()
    opening.resolve()
    await start
    expect(await life.closed).toBe(fault)
    expect([life.state, seen.at(-1)]).toEqual(['stopped', ['close', 0, undefined]])
  })

  it('lets whoever stops hear that the close failed, and nobody else', async () => {
    const broken = new Error('close')
    const { all, opening, closing } = steps([])
    opening.resolve()
    closing.reject(broken)
    const life = lifecycle('x', 0, all)
    await life.start()
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    life.fail(fault)
    expect(await life.closed).toBe(fault)
    await new Promise((turn) => setImmediate(turn))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
    await expect(life.stop()).rejects.toBe(broken)
    expect(life.state).toBe('stopped')
  })
})

describe('several services', () => {
  class Noted implements Service {
    readonly closed = Promise.resolve(undefined)
    readonly #name: string
    readonly #seen: unknown[]
    readonly #fault: { start?: Error; stop?: Error }

    constructor(name: string, seen: unknown[], wrong: { start?: Error; stop?: Error } = {}) {
      this.#name = name
      this.#seen = seen
      this.#fault = wrong
    }

    async start(options?: StartOptions): Promise<this> {
      this.#seen.push(['start', this.#name, ...(options === undefined ? [] : [options])])
      if (this.#fault.start !== undefined) throw this.#fault.start
      return this
    }

    async stop(options?: StopOptions): Promise<void> {
      this.#seen.push(['stop', this.#name, options])
      if (this.#fault.stop !== undefined) throw this.#fault.stop
    }

    [Symbol.asyncDispose](): Promise<void> {
      return this.stop()
    }
  }

  it('start in order and stop in reverse', async () => {
    const seen: unknown[] = []
    const services = ['a', 'b', 'c'].map((name) => new Noted(name, seen))
    const signal = new AbortController().signal
    await startAll(services, { signal })
    await stopAll(services, { drain: '1s' })
    expect(seen).toEqual([
      ...['a', 'b', 'c'].map((name) => ['start', name, { signal }]),
      ...['c', 'b', 'a'].map((name) => ['stop', name, { drain: '1s' }]),
    ])
  })

  it('are stopped again at once when one does not start, and its reason is told', async () => {
    const seen: unknown[] = []
    const services = [
      new Noted('a', seen),
      new Noted('b', seen, { stop: new Error('of no interest now') }),
      new Noted('c', seen, { start: fault }),
      new Noted('d', seen),
    ]
    await expect(startAll(services)).rejects.toBe(fault)
    expect(seen).toEqual([
      ['start', 'a'],
      ['start', 'b'],
      ['start', 'c'],
      ['stop', 'b', { drain: 0 }],
      ['stop', 'a', { drain: 0 }],
    ])
  })

  it('are all stopped, and the first failure is told', async () => {
    const seen: unknown[] = []
    const first = new Error('first')
    const services = [
      new Noted('a', seen, { stop: new Error('second') }),
      new Noted('b', seen),
      new Noted('c', seen, { stop: first }),
    ]
    await expect(stopAll(services)).rejects.toBe(first)
    expect(seen).toHaveLength(3)
  })
})
