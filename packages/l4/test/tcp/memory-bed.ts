import { type Pool, pool, type SocketAddress, type TimerWheel, timerWheel } from '@steelyard/core'
import {
  type ManualClock,
  type MemoryEnd,
  type MemoryStreams,
  manualClock,
  memoryStreams,
} from '@steelyard/testing'
import type { SessionRecord } from '../../src/tcp/session-record.ts'
import type { TcpBalancerOptions } from '../../src/tcp/settings.ts'
import { type TcpBalancer, tcpBalancer } from '../../src/tcp/tcp-balancer.ts'

export const vip: SocketAddress = { address: '10.0.0.1', port: 80, family: 4 }

/** A balancer at 10.0.0.1:80 of a network in memory, with a clock by hand. */
export interface MemoryBed {
  readonly net: MemoryStreams
  readonly clock: ManualClock
  readonly wheel: TimerWheel
  readonly pool: Pool
  readonly balancer: TcpBalancer
  readonly records: SessionRecord[]
  /** A client that is there and has said this. */
  client(text?: string): Promise<MemoryEnd>
  /** Answers the oldest connect. */
  accept(): Promise<MemoryEnd>
  /** Stops, and names what is left: streams, timers, counts. */
  left(): Promise<Record<string, number>>
}

export const nothing: Record<string, number> = {
  open: 0,
  inFlight: 0,
  timers: 0,
  armed: 0,
  load: 0,
  queue: 0,
}

export async function memoryBed(
  options: Partial<TcpBalancerOptions> & { readonly backends?: readonly string[] } = {},
): Promise<MemoryBed> {
  const { backends = ['10.1.0.1:80', '10.1.0.2:80'], ...rest } = options
  const net = memoryStreams()
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  const members = options.pool ?? pool({ backends, clock })
  const records: SessionRecord[] = []
  const balancer = tcpBalancer({
    listen: '10.0.0.1:80',
    transport: net.transport,
    clock,
    wheel,
    ...rest,
    pool: members,
  })
  balancer.on('session', (record) => records.push(record))
  await balancer.start()
  return {
    net,
    clock,
    wheel,
    pool: members,
    balancer,
    records,
    async client(text) {
      const end = net.client(vip)
      if (text !== undefined) end.send(bytes(text))
      await net.settle()
      return end
    },
    async accept() {
      const end = net.calls[0]!.accept()
      await net.settle()
      return end
    },
    async left() {
      const stopped = balancer.stop({ drain: 0 })
      await net.settle()
      await stopped
      return {
        open: net.open,
        inFlight: net.inFlight,
        timers: clock.pending,
        armed: wheel.size,
        load: members.load.sum(),
        queue: members.queue.size,
      }
    },
  }
}

export function bytes(of: string): Uint8Array {
  return new TextEncoder().encode(of)
}

export function text(end: MemoryEnd): string {
  return new TextDecoder().decode(end.received)
}

/** What is rethrown in microtasks while `work` runs, instead of failing the test. */
export async function uncaughtDuring(work: () => Promise<void>): Promise<unknown[]> {
  const others = process.listeners('uncaughtException')
  const errors: unknown[] = []
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => errors.push(error))
  try {
    await work()
    await new Promise((resolve) => setImmediate(resolve))
    return errors
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const other of others) process.on('uncaughtException', other)
  }
}
