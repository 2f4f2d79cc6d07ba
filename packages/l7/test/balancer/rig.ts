import { type PoolOptions, pool } from '@steelyard/core'
import {
  type ManualClock,
  type MemoryCall,
  type MemoryEnd,
  type MemoryStreams,
  manualClock,
  memoryStreams,
} from '@steelyard/testing'
import {
  always,
  type ExchangeRecord,
  type ForwardOptions,
  forward,
  type HttpBalancer,
  type HttpBalancerOptions,
  httpBalancer,
  route,
} from '../../src/index.ts'

/** A balancer over streams in memory, with hands on everything around it. */
export interface Rig extends AsyncDisposable {
  readonly network: MemoryStreams
  readonly clock: ManualClock
  readonly edge: HttpBalancer
  readonly records: ExchangeRecord[]
  /** A new client connection. */
  client(): MemoryEnd
  /** Sends, and lets everything move. */
  say(end: MemoryEnd, text: string): Promise<void>
  /** The oldest connect that waits is answered. */
  accept(): Promise<MemoryEnd>
  refuse(): Promise<void>
  /** Time passes, in steps, and everything moves. */
  pass(ms: number): Promise<void>
}

export interface RigOptions extends Partial<HttpBalancerOptions> {
  readonly backends?: readonly string[]
  readonly pool?: Partial<PoolOptions>
  readonly forward?: ForwardOptions
}

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const { backends = ['10.1.0.1:80'], pool: poolOptions, forward: how = {}, ...rest } = options
  const network = memoryStreams()
  const clock = manualClock()
  const records: ExchangeRecord[] = []
  const members = pool({ backends, clock, random: () => 0.5, ...poolOptions })
  const edge = httpBalancer({
    listen: '10.0.0.1:80',
    routes: [route(always, forward(members, how))],
    transport: network.transport,
    clock,
    random: () => 0.5,
    onExchange: (record) => records.push(record),
    forwarding: { forwarded: 'none', via: 'none', pseudonym: 'edge' },
    ...rest,
  })
  await edge.start()
  return {
    network,
    clock,
    edge,
    records,
    client: () => network.client(edge.address!),
    async say(end, text) {
      end.send(bytes(text))
      await network.settle()
    },
    async accept() {
      const call = nextCall(network)
      const end = call.accept()
      await network.settle()
      return end
    },
    async refuse() {
      nextCall(network).refuse()
      await network.settle()
    },
    async pass(ms) {
      for (let left = ms; left > 0; left -= 10) {
        clock.advance(Math.min(10, left))
        await network.settle()
      }
    },
    async [Symbol.asyncDispose]() {
      const stopped = edge.stop({ drain: 0 })
      for (let i = 0; i < 20; i++) {
        await network.settle()
        clock.advance(1000)
      }
      await stopped
    },
  }
}

function nextCall(network: MemoryStreams): MemoryCall {
  const call = network.calls.find(({ over }) => !over)
  if (call === undefined) throw new Error('nobody waits to be connected')
  return call
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

export function text(end: MemoryEnd): string {
  return Buffer.from(end.received).toString('latin1')
}

/** A request as a client writes it. */
export function get(path = '/', ...lines: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: a.example', ...lines, '', ''].join('\r\n')
}

export function ok(body = '', ...lines: string[]): string {
  return [`HTTP/1.1 200 OK`, ...lines, `Content-Length: ${body.length}`, '', body].join('\r\n')
}
