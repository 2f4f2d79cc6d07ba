import { type BackendInit, type Pool, pool, type SocketAddress } from '@steelyard/core'
import {
  type ManualClock,
  type MemoryDatagrams,
  type MemoryPeer,
  manualClock,
  memoryDatagrams,
} from '@steelyard/testing'
import type { UdpBalancerOptions } from '../../src/udp/settings.ts'
import { type UdpBalancer, udpBalancer } from '../../src/udp/udp-balancer.ts'
import type { UdpSessionRecord } from '../../src/udp/udp-session-record.ts'

/** A balancer at 10.0.0.1:53 of a network in memory, with backends at 10.1.0.1:53 and up. */
export interface Bed {
  readonly net: MemoryDatagrams
  readonly clock: ManualClock
  readonly pool: Pool
  readonly balancer: UdpBalancer
  readonly records: UdpSessionRecord[]
  /** A client, with its own address or port. */
  client(number: number, port?: number): MemoryPeer
  /** Sends text to the balancer and lets the network come to rest. */
  send(client: MemoryPeer, text: string): Promise<void>
  /** Moves the clock, and lets the network come to rest. */
  advance(ms: number): Promise<void>
  /** Starts a backend that answers what it hears with its own name in front. */
  serve(number: number): MemoryPeer
  /** Reports a member's health. */
  report(number: number, state: 'up' | 'down'): void
}

export const vip: SocketAddress = { address: '10.0.0.1', port: 53, family: 4 }

export function backendId(number: number): string {
  return `10.1.0.${number}:53`
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

export function bytes(of: string): Uint8Array {
  return new TextEncoder().encode(of)
}

/** What a client got, as text. */
export function heard(client: MemoryPeer): string[] {
  return client.received.map((item) => text(item.bytes))
}

export async function bed(
  options: Partial<UdpBalancerOptions> & { readonly backends?: readonly BackendInit[] } = {},
): Promise<Bed> {
  const { backends = [backendId(1), backendId(2)], ...rest } = options
  const net = memoryDatagrams()
  const clock = manualClock()
  const members = options.pool ?? pool({ name: 'dns', backends, clock })
  const records: UdpSessionRecord[] = []
  const balancer = udpBalancer({
    name: 'test',
    listen: '10.0.0.1:53',
    transport: net.transport,
    clock,
    onSession: (record) => records.push(record),
    ...rest,
    pool: members,
  })
  const started = balancer.start()
  await net.settle()
  await started
  return {
    net,
    clock,
    pool: members,
    balancer,
    records,
    client: (number, port = 5000) => net.peer(`10.2.${number >> 8}.${number & 255}`, port),
    async send(client, message) {
      client.send(bytes(message), vip)
      await net.settle()
    },
    async advance(ms) {
      clock.advance(ms)
      await net.settle()
    },
    serve: (number) =>
      net.peer(`10.1.0.${number}`, 53, (message) => [bytes(`${number}:${text(message)}`)]),
    report: (number, state) =>
      members.report(backendId(number), { state, since: 0, reason: 'says the test' }),
  }
}

/** Sum of what the pool counts as open. */
export function open(members: Pool): number {
  return members.load.sum()
}
