import { type Clock, type HealthState, systemClock } from '@steelyard/core'
import { afterEach, describe, expect, it } from 'vitest'

/** What the suite needs of a check; those of `@steelyard/health` fit. */
export interface CheckUnderTest {
  readonly name: string
  readonly key: string | symbol
  locate(target: CheckedAddress): CheckedAddress
  readonly probe: (
    target: CheckedAddress,
    context: {
      readonly signal: AbortSignal
      readonly timeoutMs: number
      readonly clock: Clock
      readonly state: HealthState
    },
  ) => CheckResult | Promise<CheckResult>
  readonly forget?: ((target: CheckedAddress) => void) | undefined
}

/** Where a check is pointed at. */
export interface CheckedAddress {
  readonly address: string
  readonly host: string
  readonly port: number
}

/** What a check answers. */
export interface CheckResult {
  readonly outcome: 'ok' | 'fail' | 'inconclusive'
  readonly reason: string
  readonly evidence?: Readonly<Record<string, unknown>>
}

/** A peer to be checked, on an address of its own. */
export interface CheckedPeer extends CheckedAddress {
  close(): Promise<void> | void
}

/** What {@link checkerSuite} is given. */
export interface CheckerSuiteOptions {
  /** Makes the check; twice the same configuration must give the same key. */
  readonly makeCheck: () => CheckUnderTest
  /** Starts a peer that is well. */
  readonly well: () => Promise<CheckedPeer>
  /** Starts, or stops, a peer that is not, and says so at once. */
  readonly unwell: () => Promise<CheckedPeer>
  /** Starts a peer that takes what is sent and never answers. */
  readonly silent: () => Promise<CheckedPeer>
  /** What silence means to this check. Default `fail`. */
  readonly silence?: 'ok' | 'fail'
}

/** The conformance suite of health checks: a checker's test calls it once. */
export function checkerSuite(name: string, options: CheckerSuiteOptions): void {
  const { makeCheck } = options
  const open: (() => Promise<void> | void)[] = []

  async function peer(start: () => Promise<CheckedPeer>): Promise<CheckedAddress> {
    const started = await start()
    open.push(() => started.close())
    const { address, host, port } = started
    return Object.freeze({ address, host, port })
  }

  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close()
  })

  function run(
    check: CheckUnderTest,
    target: CheckedAddress,
    signal: AbortSignal,
  ): Promise<CheckResult> {
    const context = { signal, timeoutMs: 5000, clock: systemClock, state: 'unknown' as const }
    return Promise.resolve(check.probe(check.locate(target), context))
  }

  describe(`${name} conforms`, () => {
    it('has a key that says what it asks, and is frozen', () => {
      const check = makeCheck()
      expect(check.key).toBe(makeCheck().key)
      expect(typeof check.key).toBe('string')
      expect(Object.isFrozen(check)).toBe(true)
      const target = Object.freeze({ address: '192.0.2.1:9', host: '192.0.2.1', port: 9 })
      expect(check.locate(target)).toBe(check.locate(target))
    })

    it('passes a peer that is well, again and again, with plain evidence', async () => {
      const check = makeCheck()
      const target = await peer(options.well)
      for (let i = 0; i < 3; i++) {
        const result = await run(check, target, new AbortController().signal)
        expect(result.outcome, result.reason).toBe('ok')
        assertPresentable(result)
      }
      check.forget?.(check.locate(target))
    })

    it('fails a peer that is not, and says which and why', async () => {
      const check = makeCheck()
      const target = await peer(options.unwell)
      const result = await run(check, target, new AbortController().signal)
      expect(result.outcome, result.reason).toBe('fail')
      assertPresentable(result)
      check.forget?.(check.locate(target))
    })

    it('settles when its time is up, and says what it waited for', async () => {
      const check = makeCheck()
      const target = await peer(options.silent)
      const time = new AbortController()
      let settled = false
      const result = run(check, target, time.signal).finally(() => {
        settled = true
      })
      await loopTurns(20)
      expect(settled).toBe(false)
      time.abort()
      const { outcome, reason } = await result
      expect(outcome, reason).toBe(options.silence ?? 'fail')
      assertPresentable(await result)
      check.forget?.(check.locate(target))
    })

    it('settles when its time was up before it began', async () => {
      const check = makeCheck()
      const target = await peer(options.silent)
      const result = await run(check, target, AbortSignal.abort())
      expect(['ok', 'fail', 'inconclusive']).toContain(result.outcome)
      check.forget?.(check.locate(target))
    })

    it('checks many targets at a time, each for itself', async () => {
      const check = makeCheck()
      const [well, unwell] = [await peer(options.well), await peer(options.unwell)]
      const targets = Array.from({ length: 10 }, (_, i) => ({ ...(i % 2 === 0 ? well : unwell) }))
      const results = await Promise.all(
        targets.map((target) => run(check, target, new AbortController().signal)),
      )
      expect(results.map(({ outcome }) => outcome)).toEqual(
        targets.map((_, i) => (i % 2 === 0 ? 'ok' : 'fail')),
      )
      for (const target of targets) check.forget?.(check.locate(target))
    })

    it('leaves nothing open when the targets are forgotten', async () => {
      const check = makeCheck()
      const [well, unwell] = [await peer(options.well), await peer(options.unwell)]
      const silent = await peer(options.silent)
      const before = await settledHandles()
      for (let i = 0; i < 3; i++) {
        await run(check, well, new AbortController().signal)
        await run(check, unwell, new AbortController().signal)
        const time = new AbortController()
        const waiting = run(check, silent, time.signal)
        await loopTurns(5)
        time.abort()
        await waiting
      }
      for (const target of [well, unwell, silent]) check.forget?.(check.locate(target))
      expect(await settledHandles(before.length)).toEqual(before)
    })
  })
}

function assertPresentable({ reason, evidence = {} }: CheckResult): void {
  expect(reason).toMatch(/^[^\n\r\u0000-\u001f]{3,500}$/)
  for (const value of Object.values(evidence)) {
    expect(['string', 'number', 'boolean']).toContain(typeof value)
  }
}

function loopTurns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const turn = (left: number): void => {
      if (left === 0) resolve()
      else setImmediate(() => turn(left - 1))
    }
    turn(count)
  })
}

/** Sockets, processes and the like that are open, once there are no more than `goal` of them, or no fewer come. */
async function settledHandles(goal?: number): Promise<readonly string[]> {
  const read = (): string[] =>
    process
      .getActiveResourcesInfo()
      .filter((kind) => /TCP|UDP|TLS|Pipe|Process|FSReq|GetAddrInfo/.test(kind))
      .sort()
  // Peers and processes close by events of their own: bounded turns of the loop, no fixed wait.
  for (let turns = 0; turns < (goal === undefined ? 500 : 100_000); turns++) {
    await loopTurns(1)
    if (goal !== undefined && read().length <= goal) break
  }
  return read()
}
