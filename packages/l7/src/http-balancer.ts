import { randomUUID } from 'node:crypto'
import {
  type Clock,
  type Emitter,
  type EventSource,
  emitter,
  functionOption,
  type Logger,
  objectOption,
  type Pool,
  type Service,
  type SocketAddress,
  type StartOptions,
  type SteelyardError,
  type StopOptions,
  type Stream,
  type TimerWheel,
  type Transport,
} from '@steelyard/core'
import {
  certificateSeries,
  FrontDoor,
  type HouseBehind,
  type RetryBudget,
  retryBudget,
} from '@steelyard/l4'
import { httpExchangeChannel } from './channels.ts'
import { Arrival, type ArrivalHost } from './client/arrival.ts'
import type { ClientEvents, ClientHost, ClientLeg } from './client/client-leg.ts'
import { coverage } from './client/coverage.ts'
import { H1Connection } from './client/h1-connection.ts'
import type { H1Host, H1Settings } from './client/h1-options.ts'
import { type H2Server, h2Server } from './client/h2/h2-server.ts'
import type { ResponseWriter } from './client/response-writer.ts'
import { Crowd } from './crowd.ts'
import type { ConnectionFacts } from './exchange/connection-facts.ts'
import type { ExchangeError } from './exchange/exchange-error.ts'
import type { ExchangeHost, ExchangeSettings } from './exchange/exchange-host.ts'
import type { ExchangeRecord } from './exchange/exchange-record.ts'
import { ExchangeRun } from './exchange/exchange-run.ts'
import { RefusalRecord } from './exchange/refusal-record.ts'
import { HttpCounters, type HttpStats, httpSeries } from './http-counters.ts'
import type { HttpBalancerOptions, HttpReconfiguration } from './http-options.ts'
import { type HttpSettings, httpSettings } from './http-settings.ts'
import { explain, type InjectedRequest, type InjectedResponse, inject } from './inject.ts'
import type { RouteTrial } from './routing/route.ts'
import { Upstreams } from './upstreams.ts'
import type { RequestHead } from './wire/request-head.ts'

/** What an HTTP balancer tells. */
export interface HttpBalancerEvents {
  /** An exchange is over; exactly once for each request whose head was begun. */
  readonly exchange: ExchangeRecord
  /** Accepting failed, or a hook threw; the balancer goes on. */
  readonly error: SteelyardError
}

/** Which exchanges {@link HttpBalancer.cut} ends. */
export interface HttpCutFilter {
  /** Only those on this member. */
  readonly backendId?: string
  /** Only those of this pool. */
  readonly pool?: Pool
}

/** An HTTP listener that routes its requests to pools. */
export interface HttpBalancer extends Service, EventSource<HttpBalancerEvents> {
  readonly name: string
  /** The bound address; undefined before the start and after the stop. */
  readonly address: SocketAddress | undefined
  stats(): HttpStats
  /** Exchanges under way on a member, in a pool, or at all. */
  exchanges(filter?: HttpCutFilter): number
  /** Ends exchanges under way; clients see them cut. Returns how many. */
  cut(filter?: HttpCutFilter): number
  /** Puts other options in force for new requests, on open connections too; those not named stay. Throws before anything changed. */
  reconfigure(options: HttpReconfiguration): void
  /** Stops listening, so that another may listen there; open connections live on. There is no way back. */
  unlisten(): Promise<void>
  /** Drives a request through everything but the client's socket: for tests. */
  inject(request: InjectedRequest | string): Promise<InjectedResponse>
  /** Which routes would be tried for a request, and why each was not taken. */
  explain(request: InjectedRequest | string): readonly RouteTrial[]
}

/**
 * Makes an HTTP balancer; validates everything, does no I/O.
 *
 * @throws `invalid-option` with the path of the field.
 * @example
 * ```ts
 * import { pool } from '@steelyard/core'
 * import { forward, host, httpBalancer, path, redirect, route } from '@steelyard/l7'
 *
 * const api = pool({ backends: ['10.0.1.11:9000', '10.0.1.12:9000'] })
 * await using edge = await httpBalancer({
 *   listen: ':8080',
 *   routes: [route(path('/old/*'), redirect('/new/', 308)), route(host('api.example.com'), forward(api))],
 * }).start()
 * ```
 */
export function httpBalancer(options: HttpBalancerOptions): HttpBalancer {
  return new RoutingBalancer(options)
}

/** Larger than any head that may pass, and enough to send a small answer with its head. */
const scratchBytes = 72 * 1024

class RoutingBalancer implements HttpBalancer, ExchangeHost, ClientHost, H1Host, ArrivalHost {
  readonly name: string
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly log: Logger
  readonly random: () => number
  readonly pseudonym: string = `lb-${randomUUID().slice(-12)}`
  readonly scratch: Uint8Array = new Uint8Array(scratchBytes)
  readonly spareHeads: RequestHead[] = []
  corked: ResponseWriter | undefined = undefined
  readonly counters: HttpCounters = new HttpCounters()
  #options: HttpBalancerOptions
  #all: HttpSettings
  readonly #door: FrontDoor
  readonly #events: Emitter<HttpBalancerEvents> = emitter<HttpBalancerEvents>()
  readonly #upstreams: Upstreams
  readonly #ownBudget: RetryBudget
  readonly #arrivals = new Set<Arrival>()
  readonly #connections = new Set<H1Connection>()
  readonly #runs = new Crowd<ExchangeRun>()
  #h2: { readonly settings: HttpSettings; readonly server: H2Server }[] = []
  #uses: Disposable[] = []
  #nextConnection = 1

  constructor(options: HttpBalancerOptions) {
    const door = new FrontDoor('httpBalancer', options, this.#house())
    this.#options = options
    this.#door = door
    this.name = door.name
    this.clock = door.clock
    this.wheel = door.wheel
    this.log = door.log
    this.transport = door.transport
    this.random = functionOption(options.random ?? Math.random, 'random')
    this.#ownBudget = options.retryBudget ?? retryBudget({ clock: this.clock })
    const { transport, wheel, clock, log, random } = this
    this.#upstreams = new Upstreams({ transport, wheel, clock, log, random })
    const selection = this.#upstreams.select()
    this.#all = httpSettings(options, this, (upstream, path) => selection.take(upstream, path))
    selection.commit()
    door.limit.setMax(this.#all.connectionLimit)
  }

  get address(): SocketAddress | undefined {
    return this.#door.address
  }

  get closed(): Promise<SteelyardError | undefined> {
    return this.#door.lifecycle.closed
  }

  get settings(): ExchangeSettings & H1Settings {
    return this.#all
  }

  get retryBudget(): RetryBudget | undefined {
    return this.#options.retryBudget ?? this.#ownBudget
  }

  get draining(): boolean {
    return this.#door.shut
  }

  get wantsRecord(): boolean {
    return (
      this.#options.onExchange !== undefined ||
      this.#events.heard('exchange') ||
      httpExchangeChannel.hasSubscribers
    )
  }

  on<Name extends keyof HttpBalancerEvents>(
    name: Name,
    listener: (event: HttpBalancerEvents[Name]) => void,
  ): Disposable {
    return this.#events.on(name, listener)
  }

  async start(options?: StartOptions): Promise<this> {
    await this.#door.lifecycle.start(options)
    return this
  }

  stop(options?: StopOptions): Promise<void> {
    return this.#door.lifecycle.stop(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  stats(): HttpStats {
    return this.counters.stats({
      exchanges: this.#runs.size,
      connections: this.#door.limit.active,
      waiting: this.#door.parked,
      accepted: this.#door.accepted,
      acceptFailures: this.#door.acceptFailures,
      upstreams: this.#upstreams.all,
    })
  }

  exchanges(filter: HttpCutFilter = {}): number {
    let count = 0
    for (const run of this.#runs) if (matches(run, filter)) count += 1
    return count
  }

  cut(filter: HttpCutFilter = {}): number {
    const chosen = [...this.#runs].filter((run) => matches(run, filter))
    for (const run of chosen) run.cut()
    return chosen.length
  }

  reconfigure(change: HttpReconfiguration): void {
    const options: HttpBalancerOptions = {
      ...this.#options,
      ...objectOption(change, 'httpBalancer'),
    }
    const selection = this.#upstreams.select()
    let all: HttpSettings
    try {
      all = httpSettings(options, this, (upstream, path) => selection.take(upstream, path))
    } catch (error) {
      selection.abandon()
      throw error
    }
    const { live } = this.#door
    // The new pools are in use before the old ones are let go: a pool in both is checked without a gap.
    const before = this.#uses
    let uses = before
    try {
      if (live) uses = this.#usePools(all)
    } catch (error) {
      selection.abandon()
      throw error
    }
    this.#options = options
    this.#all = all
    this.#uses = uses
    if (live) disposeAll(before)
    selection.commit()
    this.#door.limit.setMax(all.connectionLimit)
  }

  unlisten(): Promise<void> {
    return this.#door.unlisten()
  }

  inject(request: InjectedRequest | string): Promise<InjectedResponse> {
    return inject(request, this, this.#all, this.#nextConnection++)
  }

  explain(request: InjectedRequest | string): readonly RouteTrial[] {
    return explain(request, this.#all)
  }

  // What exchanges and connections ask of us.

  newId(): string {
    return randomUUID()
  }

  begin(leg: ClientLeg): ClientEvents {
    const run = new ExchangeRun(this, leg)
    run.start()
    return run
  }

  refused(
    connection: ConnectionFacts,
    error: ExchangeError,
    status: number,
    request: RequestHead | undefined,
  ): void {
    this.counters.refused(status)
    if (!this.wantsRecord) return
    this.#tell(new RefusalRecord(this, connection, error, status, request))
  }

  begun(run: ExchangeRun): void {
    this.#runs.add(run)
    this.counters.begun()
  }

  finished(run: ExchangeRun, record: ExchangeRecord | undefined): void {
    this.#runs.delete(run)
    this.counters.finished(run)
    if (record !== undefined) this.#tell(record)
    // Its client's connection may have been over before.
    if (this.#runs.size === 0) this.#door.look()
  }

  complain(error: unknown, what: string): void {
    this.log.error({ listener: this.name, error: errorText(error) }, `${what} threw`)
  }

  left(connection: H1Connection): void {
    if (!this.#connections.delete(connection)) return
    this.#departed(connection.connection.id)
  }

  arrived(arrival: Arrival, early: Uint8Array): void {
    this.#arrivals.delete(arrival)
    const facts = this.#factsOf(arrival)
    if (arrival.http2) return this.#toHttp2(arrival, facts, early)
    const connection = new H1Connection(this, this, arrival.stream, facts)
    this.#connections.add(connection)
    connection.start(early)
  }

  turnedAway(arrival: Arrival, reason: string): void {
    if (!this.#arrivals.delete(arrival)) return
    this.counters.turnedAway += 1
    this.log.debug({ listener: this.name, client: arrival.client.address, reason }, 'turned away')
    this.#departed(0)
  }

  // Inside.

  /** What the front door asks of us. */
  #house(): HouseBehind {
    const busy = (): boolean => this.#door.limit.active > 0 || this.#runs.size > 0
    return {
      get busy() {
        return busy()
      },
      open: () => {
        this.#uses = this.#usePools(this.#all)
      },
      begin: (stream) => this.#begin(stream),
      turnAway: (stream) => stream.reset(),
      drain: () => {
        for (const connection of [...this.#connections]) connection.drain()
        for (const { server } of this.#h2) server.drain()
      },
      cut: () => {
        for (const arrival of [...this.#arrivals]) arrival.cut()
        this.cut()
        for (const connection of [...this.#connections]) connection.cut()
        for (const { server } of this.#h2) server.cut()
      },
      close: () => {
        disposeAll(this.#uses)
        this.#uses = []
        this.#upstreams.close()
      },
      failed: (error) => this.#events.emit('error', error),
      report: (report) => {
        const labels = { listener: this.name }
        const { tls } = this.#all.arrival
        if (tls !== undefined) certificateSeries(tls, labels, report)
        httpSeries(this.stats(), labels, report)
      },
    }
  }

  #factsOf(arrival: Arrival): ConnectionFacts {
    const { tls, peer, client, local } = arrival
    const contexts = this.#all.arrival.tls
    return {
      id: this.#nextConnection++,
      client,
      local,
      peer,
      tls: tls?.facts,
      // Who speaks HTTP to us, that is whom a PROXY header names: a balancer of TCP in front passes on whatever
      // anybody claims.
      trusted: this.#all.forwarding.trust.trusts(client.address),
      covers:
        tls === undefined || contexts === undefined
          ? undefined
          : coverage(contexts, tls.certificate),
    }
  }

  #toHttp2(arrival: Arrival, facts: ConnectionFacts, early: Uint8Array): void {
    let socket: ReturnType<Transport['release']>
    try {
      socket = this.transport.release(arrival.stream)
    } catch {
      arrival.stream.destroy()
      return this.#departed(facts.id)
    }
    if (early.length > 0) socket.unshift(Buffer.from(early))
    socket.once('close', () => this.#departed(facts.id))
    this.#h2Now().adopt(socket, facts)
  }

  /** HTTP/2 by the settings in force; connections keep the ones they began with. */
  #h2Now(): H2Server {
    const { h2, gate } = this.#all
    const before = this.#h2.at(-1)
    if (before?.settings === this.#all) return before.server
    this.#h2 = this.#h2.filter(({ server }) => server.sessions > 0)
    const { log, clock, wheel } = this
    const server = h2Server(h2, this, { gate, log, clock, wheel }, 'http2')
    this.#h2.push({ settings: this.#all, server })
    return server
  }

  /** A client's connection is over. */
  #departed(id: number): void {
    if (id > 0) this.#upstreams.clientGone(id)
    this.#door.leave()
  }

  #begin(stream: Stream): void {
    const arrival = new Arrival(this, this.#all.arrival, stream)
    this.#arrivals.add(arrival)
    arrival.start()
  }

  #tell(record: ExchangeRecord): void {
    try {
      this.#options.onExchange?.(record)
    } catch (error) {
      this.complain(error, 'onExchange')
    }
    this.#events.emit('exchange', record)
    if (httpExchangeChannel.hasSubscribers) httpExchangeChannel.publish(record)
  }

  #usePools(all: HttpSettings): Disposable[] {
    const uses: Disposable[] = []
    try {
      for (const pool of all.pools) {
        uses.push(
          pool.use(),
          pool.on('member', ({ backend, change }) => {
            if (change === 'removed') this.#upstreams.forget(backend.id)
          }),
          pool.on('health', ({ backend, health }) => {
            if (health !== 'down') return
            this.#upstreams.forget(backend.id)
            if (all.whenDown === 'keep') return
            for (const run of [...this.#runs]) run.memberDown(pool, backend)
          }),
        )
      }
    } catch (error) {
      disposeAll(uses)
      throw error
    }
    return uses
  }
}

function disposeAll(items: readonly Disposable[]): void {
  for (const item of items) item[Symbol.dispose]()
}

function matches(run: ExchangeRun, { backendId, pool }: HttpCutFilter): boolean {
  return (
    (backendId === undefined || run.backend?.id === backendId) &&
    (pool === undefined || run.pool === pool)
  )
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : 'something that is no error'
}
