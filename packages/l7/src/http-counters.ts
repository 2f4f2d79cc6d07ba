import type { Labels, Report } from '@steelyard/core'
import type { BackendConnections } from './backend/connections.ts'

/** An HTTP balancer in numbers. */
export interface HttpStats {
  /** Exchanges under way. */
  readonly exchanges: number
  /** Client connections open. */
  readonly connections: number
  /** Connections accepted since the start. */
  readonly accepted: number
  readonly acceptFailures: number
  /** Connections that never came to HTTP: access list, PROXY header, TLS. */
  readonly turnedAway: number
  /** Clients that wait for a connection to end. */
  readonly waiting: number
  /** Requests since the start, those refused by their head included. */
  readonly requests: number
  /** Refused by their head. */
  readonly refused: number
  /** Attempts beyond the first. */
  readonly retries: number
  readonly bytesFromClients: number
  readonly bytesToClients: number
  /** Responses by class: `1xx` to `5xx`, and `none` for exchanges that ended without one. */
  readonly statuses: Readonly<Record<string, number>>
  /** Backend connections: open, and idle among them. */
  readonly upstream: { readonly open: number; readonly idle: number }
}

/** What a finished exchange adds. */
export interface CountedExchange {
  readonly status: number
  readonly attempts: number
  readonly bytesIn: number
  readonly bytesOut: number
}

/** The counters of one balancer; they survive reconfigurations. */
export class HttpCounters {
  turnedAway = 0
  #requests = 0
  #refused = 0
  #retries = 0
  #bytesIn = 0
  #bytesOut = 0
  /** By class; 0 for none. */
  readonly #classes: Float64Array = new Float64Array(6)

  begun(): void {
    this.#requests += 1
  }

  refused(status: number): void {
    this.#requests += 1
    this.#refused += 1
    this.#classes[Math.floor(status / 100)]! += 1
  }

  finished({ status, attempts, bytesIn, bytesOut }: CountedExchange): void {
    this.#classes[(status / 100) | 0]! += 1
    if (attempts > 1) this.#retries += attempts - 1
    this.#bytesIn += bytesIn
    this.#bytesOut += bytesOut
  }

  stats(now: {
    exchanges: number
    connections: number
    waiting: number
    accepted: number
    acceptFailures: number
    upstreams: readonly BackendConnections[]
  }): HttpStats {
    const { exchanges, connections, waiting, accepted, acceptFailures, upstreams } = now
    return {
      exchanges,
      connections,
      waiting,
      accepted,
      acceptFailures,
      turnedAway: this.turnedAway,
      requests: this.#requests,
      refused: this.#refused,
      retries: this.#retries,
      bytesFromClients: this.#bytesIn,
      bytesToClients: this.#bytesOut,
      statuses: Object.fromEntries(
        [...this.#classes].map((count, index) => [index === 0 ? 'none' : `${index}xx`, count]),
      ),
      upstream: {
        open: upstreams.reduce((sum, { open }) => sum + open, 0),
        idle: upstreams.reduce((sum, set) => sum + set.idle(), 0),
      },
    }
  }
}

/** Reports what an HTTP listener has counted, for a scrape. */
export function httpSeries(stats: HttpStats, labels: Labels, report: Report): void {
  const gauge = (name: string, help: string, value: number): void =>
    report('gauge', `steelyard_http_${name}`, help, value, labels)
  const counter = (name: string, help: string, value: number, more: Labels = {}): void =>
    report('counter', `steelyard_http_${name}_total`, help, value, { ...labels, ...more })
  gauge('exchanges', 'Exchanges under way.', stats.exchanges)
  gauge('connections', 'Open client connections.', stats.connections)
  gauge('waiting', 'Client connections that wait for room.', stats.waiting)
  gauge('upstream_open', 'Open connections to members.', stats.upstream.open)
  gauge('upstream_idle', 'Idle connections to members.', stats.upstream.idle)
  counter('accepted', 'Accepted client connections.', stats.accepted)
  counter('accept_failures', 'Failed accepts.', stats.acceptFailures)
  counter('turned_away', 'Client connections that never came to HTTP.', stats.turnedAway)
  counter('refused', 'Requests refused by their head.', stats.refused)
  counter('retries', 'Attempts beyond the first.', stats.retries)
  counter('body_bytes', 'Bytes of bodies.', stats.bytesFromClients, { direction: 'from-client' })
  counter('body_bytes', 'Bytes of bodies.', stats.bytesToClients, { direction: 'to-client' })
  for (const [status, count] of Object.entries(stats.statuses)) {
    counter('responses', 'Responses by class of status.', count, { class: status })
  }
}
