import {
  type Backend,
  type Clock,
  clockOption,
  type Duration,
  functionOption,
  invalidOption,
  objectOption,
  type Pool,
  parseDuration,
  shown,
  systemClock,
} from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import type { Reply } from '../exchange/reply.ts'
import { attemptResult } from './circuit/attempt-result.ts'
import type { Circuit, CircuitRule, CircuitState, CircuitTransition } from './circuit/circuit.ts'
import { type CircuitStatus, circuitTable } from './circuit/circuit-table.ts'
import { shareOption, wholeOption } from './number-option.ts'
import { type RefusalOptions, refusal } from './refusal.ts'

/** How much may go on with one pool at one time; 0 for any number. Beyond it requests are turned away at once. */
export interface CircuitThresholds {
  /** Exchanges on all members, whoever brought them there. Default 1024. */
  readonly connections?: number
  /** Requests that wait for a member with room; beside it the pool's own `queueLimit` holds. Default 1024. */
  readonly pending?: number
  /** Exchanges that passed this filter and are not over. Default 1024. */
  readonly requests?: number
  /** Exchanges in a second attempt or later. Default 3. */
  readonly retries?: number
}

/** When a circuit opens: as soon as one rule is met. */
export interface CircuitOpenRules {
  /** Share of errors, above 0 to 1. Default 0.5 when no rule is given at all, else none. */
  readonly errorRatio?: number
  readonly errorCount?: number
  /** Share of slow responses, above 0 to 1. Default: none. */
  readonly slowRatio?: number
  readonly slowCount?: number
  /** Mean time to the response's head. Default: none. */
  readonly latency?: Duration
}

/** How {@link circuitBreaker} judges. Defaults follow Envoy (thresholds) and Flomesh (times and counts). */
export interface CircuitBreakerOptions extends RefusalOptions {
  readonly thresholds?: CircuitThresholds
  readonly openWhen?: CircuitOpenRules
  /** A response whose head takes this long is slow. Default `5s`. */
  readonly slowAfter?: Duration
  /** How far back results count. Default `30s`. */
  readonly window?: Duration
  /** Results that must be in the window before a circuit opens. Default 100. */
  readonly minRequests?: number
  /** How long a circuit stays open before it is probed. Default `30s`. */
  readonly openFor?: Duration
  /** Requests that pass at one time while it is half-open; as many must succeed to close it. Default 3. */
  readonly probes?: number
  /**
   * What has a circuit of its own: each pool, each member of a pool (one that is open is passed over for the next), or
   * whatever a function says; undefined for none. Default `pool`.
   */
  readonly key?: 'pool' | 'backend' | ((x: Exchange) => string | undefined)
  /** Circuits of a function's keys and of members kept at one time; the oldest that is closed goes first. Default 10000. */
  readonly maxCircuits?: number
  /** Is it the backend's failure? Default: its status is 500 or above, or the error's source is `backend`. */
  readonly isError?: (record: ExchangeRecord) => boolean
  /** Hears of each change. Must not throw. */
  readonly onTransition?: (event: CircuitEvent) => void
  readonly clock?: Clock
}

/** A circuit has changed. */
export interface CircuitEvent extends CircuitTransition {
  /** The pool's name, `pool/member`, or the function's key. */
  readonly circuit: string
}

/** A circuit breaker, and its state. */
export interface CircuitBreaker extends HttpFilter {
  /** Every circuit that has seen traffic. */
  circuits(): readonly CircuitStatus[]
  /** The state of one; `closed` when it has seen no traffic. */
  state(circuit: string): CircuitState
}

/**
 * Keeps requests away from what cannot serve them: when too much goes on with a pool, and, for a while, when too many
 * results were bad. Answers 503 (`circuit-open`) with Retry-After.
 *
 * An attempt that was given up for another one counts as an error of the first member. With `key: 'backend'` results
 * and decisions are of members; who keeps failing altogether is better ejected by `outlierDetection` of
 * `@steelyard/health`.
 *
 * @example
 * ```ts
 * import { circuitBreaker } from '@steelyard/l7'
 *
 * const breaker = circuitBreaker({
 *   openWhen: { errorRatio: 0.3, slowRatio: 0.8 },
 *   slowAfter: '2s',
 *   openFor: '10s',
 * })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function circuitBreaker(
  options: CircuitBreakerOptions = {},
  path = 'circuitBreaker',
): CircuitBreaker {
  objectOption(options, path)
  const rule = ruleOf(options, path)
  const limits = limitsOf(options.thresholds ?? {}, `${path}.thresholds`)
  const { key = 'pool' } = options
  if (key !== 'pool' && key !== 'backend' && typeof key !== 'function') {
    throw invalidOption(`${path}.key`, `${shown(key)} is none of pool, backend, a function`)
  }
  const turnedAway = refusal(options, path, 503, 'circuit-open')
  const clock = clockOption(options.clock ?? systemClock, `${path}.clock`)
  const isError =
    options.isError === undefined ? undefined : functionOption(options.isError, `${path}.isError`)
  const tell =
    options.onTransition === undefined
      ? undefined
      : functionOption(options.onTransition, `${path}.onTransition`)
  const circuits = circuitTable(
    rule,
    wholeOption(options.maxCircuits ?? 10_000, `${path}.maxCircuits`, 1, 1_000_000, 'bound'),
  )
  /** What goes on, by pool. Those of pools that are gone stay, as small as they are, no longer than themselves. */
  const gauges = new WeakMap<Pool, Gauge>()
  const names = new WeakMap<Backend, string>()
  const filterKey = {}
  const members = key === 'backend'

  function gaugeOf(pool: Pool): Gauge {
    let gauge = gauges.get(pool)
    if (gauge === undefined) {
      gauge = { requests: 0, retries: 0 }
      gauges.set(pool, gauge)
    }
    return gauge
  }

  function memberName(pool: Pool, backend: Backend): string {
    let name = names.get(backend)
    if (name === undefined) {
      name = `${pool.name}/${backend.id}`
      names.set(backend, name)
    }
    return name
  }

  function changed(x: Exchange, name: string, one: Circuit): void {
    const transition = one.take()
    if (transition === undefined) return
    const event: CircuitEvent = { circuit: name, ...transition }
    if (transition.to === 'closed') x.log.info({ ...event }, 'a circuit has closed')
    else x.log.warn({ ...event }, 'a circuit has changed')
    tell?.(event)
  }

  /** Takes a permit, or leaves the answer in the ticket. */
  function admit(x: Exchange, name: string, ticket: Ticket): boolean {
    const one = circuits.of(name)
    const now = clock.now()
    const permit = one.admit(now)
    changed(x, name, one)
    if (permit === 0) {
      ticket.refusal = turnedAway.after(Math.max(1000, one.retryMs(now)))
      return false
    }
    ticket.refusal = undefined
    ticket.circuit = one
    ticket.name = name
    ticket.permit = permit
    ticket.admittedAt = now
    return true
  }

  function settle(x: Exchange, ticket: Ticket, error: boolean, latencyMs: number): void {
    const { circuit: one, name, permit } = ticket
    if (one === undefined) return
    ticket.circuit = undefined
    one.settle(permit, clock.now(), error, latencyMs)
    changed(x, name, one)
  }

  /** Lets an exchange in, once however often it is asked; else the answer. `own`: it is among the pool's connections already. */
  function enter(x: Exchange, pool: Pool, own: 0 | 1): Reply | undefined {
    const before = x.recall(filterKey) as Ticket | undefined
    if (before !== undefined) return before.counted ? undefined : before.refusal
    const gauge = gaugeOf(pool)
    const ticket = new Ticket(gauge)
    x.remember(filterKey, ticket)
    if (
      gauge.requests >= limits.requests ||
      pool.queue.size >= limits.pending ||
      pool.load.sum() - own >= limits.connections
    ) {
      x.flag('circuit-overflow')
      ticket.refusal = turnedAway.after(1000)
      return ticket.refusal
    }
    const name = key === 'pool' ? pool.name : key === 'backend' ? undefined : key(x)
    if (name !== undefined && !admit(x, name, ticket)) {
      x.flag('circuit-open')
      return ticket.refusal
    }
    ticket.counted = true
    gauge.requests += 1
    return undefined
  }

  return {
    name: 'circuit-breaker',
    circuits: () => circuits.status(clock.now()),
    state: (name) => circuits.peek(name)?.state ?? 'closed',
    request(x) {
      // Which pool it is may be known only when a member was picked.
      return x.pool === undefined ? undefined : enter(x, x.pool, 0)
    },
    attempt(x) {
      if (x.pool === undefined || x.backend === undefined) return undefined
      if (enter(x, x.pool, 1) !== undefined) return 'stop'
      const ticket = x.recall(filterKey) as Ticket
      if (ticket.attempt === x.attempts && ticket.backend === x.backend) return undefined
      ticket.attempt = x.attempts
      ticket.backend = x.backend
      if (x.attempts > 1 && !ticket.retrying) {
        if (ticket.gauge.retries >= limits.retries) {
          x.flag('retry-overflow')
          return 'stop'
        }
        ticket.retrying = true
        ticket.gauge.retries += 1
      }
      if (!members) return undefined
      settle(x, ticket, true, clock.now() - ticket.admittedAt)
      return admit(x, memberName(x.pool, x.backend), ticket) ? undefined : 'pass'
    },
    failed(error, x) {
      if (error.code !== 'no-backend' && error.code !== 'circuit-open') return undefined
      // Undefined unless we stopped it, or every member that was left had an open circuit.
      return (x.recall(filterKey) as Ticket | undefined)?.refusal
    },
    done(record, x) {
      const ticket = x.recall(filterKey) as Ticket | undefined
      if (ticket === undefined) return
      x.remember(filterKey, undefined)
      if (ticket.counted) ticket.gauge.requests -= 1
      if (ticket.retrying) ticket.gauge.retries -= 1
      const { circuit: one } = ticket
      if (one === undefined) return
      const result = attemptResult(record, rule.slowMs, isError)
      if (result === undefined) one.forgo(ticket.permit)
      else settle(x, ticket, result.error, result.latencyMs)
    },
  }
}

interface Gauge {
  requests: number
  retries: number
}

/** What one exchange holds. */
class Ticket {
  readonly gauge: Gauge
  /** It was let in, and is in {@link Gauge.requests}. */
  counted = false
  circuit: Circuit | undefined = undefined
  name = ''
  permit = 0
  admittedAt = 0
  retrying = false
  /** The attempt that was last decided on. */
  attempt = 0
  backend: Backend | undefined = undefined
  /** What it is told when it ends by our doing. */
  refusal: Reply | undefined = undefined

  constructor(gauge: Gauge) {
    this.gauge = gauge
  }
}

function ruleOf(options: CircuitBreakerOptions, path: string): CircuitRule {
  const openWhen = objectOption(options.openWhen ?? {}, `${path}.openWhen`)
  const given = Object.values(openWhen).some((value) => value !== undefined)
  const ratio = (value: number | undefined, name: string): number =>
    value === undefined ? Infinity : shareOption(value, `${path}.openWhen.${name}`, 1)
  const count = (value: number | undefined, name: string): number =>
    value === undefined
      ? Infinity
      : wholeOption(value, `${path}.openWhen.${name}`, 1, 1_000_000_000, 'count')
  const positive = (value: Duration, name: string): number => {
    const ms = parseDuration(value, `${path}.${name}`)
    if (ms === 0) throw invalidOption(`${path}.${name}`, 'must be more than 0')
    return ms
  }
  return Object.freeze({
    windowMs: positive(options.window ?? '30s', 'window'),
    minRequests: wholeOption(
      options.minRequests ?? 100,
      `${path}.minRequests`,
      1,
      1_000_000_000,
      'number of requests',
    ),
    errorRatio: ratio(given ? openWhen.errorRatio : 0.5, 'errorRatio'),
    errorCount: count(openWhen.errorCount, 'errorCount'),
    slowMs: positive(options.slowAfter ?? '5s', 'slowAfter'),
    slowRatio: ratio(openWhen.slowRatio, 'slowRatio'),
    slowCount: count(openWhen.slowCount, 'slowCount'),
    latencyMs:
      openWhen.latency === undefined ? Infinity : positive(openWhen.latency, 'openWhen.latency'),
    openMs: positive(options.openFor ?? '30s', 'openFor'),
    probes: wholeOption(options.probes ?? 3, `${path}.probes`, 1, 100_000, 'number of probes'),
  })
}

function limitsOf(thresholds: CircuitThresholds, path: string): Required<CircuitThresholds> {
  const {
    connections = 1024,
    pending = 1024,
    requests = 1024,
    retries = 3,
  } = objectOption(thresholds, path)
  const limit = (value: number, name: string): number =>
    wholeOption(value, `${path}.${name}`, 0, 0x7fffffff, 'limit') || Infinity
  return Object.freeze({
    connections: limit(connections, 'connections'),
    pending: limit(pending, 'pending'),
    requests: limit(requests, 'requests'),
    retries: limit(retries, 'retries'),
  })
}
