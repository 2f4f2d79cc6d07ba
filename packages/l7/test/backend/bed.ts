import { type Backend, backend, silentLog, type TimerWheel, timerWheel } from '@steelyard/core'
import {
  type ManualClock,
  type MemoryEnd,
  type MemoryStreams,
  manualClock,
  memoryStreams,
} from '@steelyard/testing'
import type { BackendLeg, LegSearch, LegSeeker } from '../../src/backend/backend-leg.ts'
import type { BackendConnections, LegDemand } from '../../src/backend/connections.ts'
import { upstreamConnections } from '../../src/backend/upstream-connections.ts'
import type { UpstreamOptions } from '../../src/backend/upstream-options.ts'
import type { ConnectionFacts } from '../../src/exchange/connection-facts.ts'
import type { ExchangeError } from '../../src/exchange/exchange-error.ts'
import type { Head } from '../../src/wire/head.ts'
import { type BodyLength, RequestHead } from '../../src/wire/request-head.ts'
import type { ResponseHead } from '../../src/wire/response-head.ts'

export const member: Backend = backend('10.1.0.1:80')

export function clientFacts(id = 1, port = 40_000): ConnectionFacts {
  return {
    id,
    client: { address: '192.0.2.7', port, family: 4 },
    local: { address: '10.0.0.1', port: 443, family: 4 },
    peer: { address: '192.0.2.7', port, family: 4 },
    tls: undefined,
    trusted: false,
    covers: undefined,
  }
}

export function demand(init: Partial<LegDemand> = {}): LegDemand {
  return { client: clientFacts(), mayReuse: true, connectTimeoutMs: 5000, upgrade: false, ...init }
}

export function requestHead(
  method: string,
  path: string,
  lines: Readonly<Record<string, string>> = {},
): RequestHead {
  const head = new RequestHead()
  head.method = method
  head.path = path
  head.host = 'a.example'
  head.authority = 'a.example'
  for (const [name, value] of Object.entries(lines)) head.add(name, value)
  return head
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

export function text(range: Uint8Array): string {
  return Buffer.from(range).toString('latin1')
}

/** An exchange as far as its backend goes: it notes everything that it is told. */
export class Exchange implements LegSeeker {
  leg: BackendLeg | undefined = undefined
  search: LegSearch | undefined = undefined
  /** What was told, in order, without the bytes. */
  readonly told: string[] = []
  readonly heads: { status: number; lines: string[]; bodyLength: number }[] = []
  readonly interim: number[] = []
  body = ''
  pieces = 0
  trailers: string[] | undefined = undefined
  error: ExchangeError | undefined = undefined
  drains = 0
  over = false
  /** Called with the name of what is told, while it is told. */
  during: ((what: string) => void) | undefined = undefined
  readonly #waiting: (() => void)[] = []

  connected(leg: BackendLeg): void {
    this.leg = leg
    this.#note('connected')
  }

  unconnected(error: ExchangeError): void {
    this.error = error
    this.over = true
    this.#note('unconnected')
  }

  informational(head: ResponseHead): void {
    this.interim.push(head.status)
    this.#note('informational')
  }

  responseHead(head: ResponseHead): void {
    this.heads.push({
      status: head.status,
      lines: [...head].map(([name, value]) => `${name}: ${value}`),
      bodyLength: head.bodyLength,
    })
    this.#note('head')
  }

  responseBody(range: Uint8Array): void {
    this.body += text(range)
    this.pieces += 1
    this.#note('body')
  }

  responseEnd(trailers: Head | undefined): void {
    this.trailers =
      trailers === undefined ? undefined : [...trailers].map((line) => line.join(': '))
    this.over = true
    this.#note('end')
  }

  backendDrained(): void {
    this.drains += 1
    this.#note('drained')
  }

  backendFailed(error: ExchangeError): void {
    this.error = error
    this.over = true
    this.#note('failed')
  }

  get status(): number {
    return this.heads.at(-1)?.status ?? 0
  }

  /** Resolves once it is over. */
  async done(): Promise<this> {
    while (!this.over) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this
  }

  /** Resolves once this was told. */
  async hears(what: string): Promise<this> {
    while (!this.told.includes(what)) {
      if (this.over) throw new Error(`it is over without ${what}: ${this.told.join()}`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this
  }

  send(head: RequestHead, length: BodyLength = 0, upgrade = ''): this {
    this.leg!.sendHead(head, length, upgrade)
    return this
  }

  #note(what: string): void {
    this.told.push(what)
    this.during?.(what)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Connections over a network in memory, with a clock by hand. */
export interface Bed {
  readonly net: MemoryStreams
  readonly clock: ManualClock
  readonly wheel: TimerWheel
  readonly connections: BackendConnections
  /** An exchange that seeks a leg. */
  seek(init?: Partial<LegDemand>, to?: Backend): Exchange
  /** Answers the oldest connect; the member's end of it. */
  accept(): Promise<MemoryEnd>
  /** An exchange that has its leg on a new connection, and the member's end. */
  fresh(init?: Partial<LegDemand>, to?: Backend): Promise<{ x: Exchange; end: MemoryEnd }>
  /** A whole exchange on a new connection, which is idle afterwards. */
  idle(init?: Partial<LegDemand>, to?: Backend): Promise<MemoryEnd>
  /** Closes everything, and names what is left. */
  left(): Promise<Record<string, number>>
}

export const nothing: Record<string, number> = {
  streams: 0,
  open: 0,
  idle: 0,
  connecting: 0,
  armed: 0,
  timers: 0,
}

export const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

export function bed(options: UpstreamOptions = {}): Bed {
  const net = memoryStreams()
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  const connections = upstreamConnections(options, {
    transport: net.transport,
    wheel,
    clock,
    log: silentLog,
    random: () => 0.5,
  })
  const seek = (init?: Partial<LegDemand>, to = member): Exchange => {
    const x = new Exchange()
    x.search = connections.seek(to, x, demand(init))
    return x
  }
  const accept = async (): Promise<MemoryEnd> => {
    const end = net.calls[0]!.accept()
    await net.settle()
    return end
  }
  const fresh = async (
    init?: Partial<LegDemand>,
    to = member,
  ): Promise<{ x: Exchange; end: MemoryEnd }> => {
    const x = seek({ mayReuse: false, ...init }, to)
    return { x, end: await accept() }
  }
  return {
    net,
    clock,
    wheel,
    connections,
    seek,
    accept,
    fresh,
    async idle(init, to) {
      const { x, end } = await fresh(init, to)
      x.send(requestHead('GET', '/'))
      await net.settle()
      end.send(bytes(ok))
      await net.settle()
      if (x.told.at(-1) !== 'end') throw new Error(x.told.join())
      return end
    },
    async left() {
      connections.close()
      await net.settle()
      const { connecting } = connections.stats!()
      return {
        streams: net.open,
        open: connections.open,
        idle: connections.idle(),
        connecting,
        armed: wheel.size,
        timers: clock.pending,
      }
    },
  }
}
