import { connect } from 'node:net'
import { pool } from '@steelyard/core'
import {
  always,
  basicAuth,
  type ExchangeRecord,
  forward,
  type HttpBalancer,
  type HttpBalancerOptions,
  type HttpFilter,
  header,
  httpBalancer,
  pathPrefix,
  respond,
  route,
} from '../../../src/index.ts'
import { forbidden, guarded } from './attacks.ts'

/** What is kept of an exchange that is over. */
export interface Passed {
  readonly key: string
  readonly id: string
  readonly path: string
  readonly pool: string
  readonly attempts: number
  readonly status: number
  readonly backendStatus: number
  readonly bytesIn: number
  readonly reason: string
}

/** Addresses of the members: for everything, for the protected route, and for who asks for it by a header. */
export interface Members {
  readonly open: string
  readonly guarded: string
  readonly blue: string
}

/** A balancer on loopback with protected routes. */
export interface Front extends AsyncDisposable {
  readonly balancer: HttpBalancer
  readonly port: number
  readonly passed: readonly Passed[]
}

/** Starts a {@link Front}: nothing under `/admin` may pass, `/private` asks for a password, `x-team: blue` has its own members. */
export async function front(
  members: Members,
  more: Partial<HttpBalancerOptions> = {},
): Promise<Front> {
  const passed: Passed[] = []
  const to = (name: keyof Members, use: readonly HttpFilter[] = []) =>
    forward(pool({ name, backends: [members[name]] }), { use })
  const balancer = await httpBalancer({
    listen: { host: '127.0.0.1', port: 0 },
    routes: [
      route(pathPrefix(forbidden), respond(403, { body: 'no' })),
      route(
        pathPrefix(guarded),
        to('guarded', [basicAuth({ users: { ann: { plain: 'secret' } }, userHeader: 'X-User' })]),
      ),
      route(header('x-team', 'blue'), to('blue')),
      route(always, to('open')),
    ],
    timeouts: { head: 250, body: 250, keepAlive: 250, firstByte: '2s', idle: 250, bodyRate: 0 },
    drain: 0,
    onExchange: (record) => passed.push(passedOf(record)),
    ...more,
  }).start()
  return {
    balancer,
    port: balancer.address!.port,
    passed,
    [Symbol.asyncDispose]: () => balancer.stop(),
  }
}

function passedOf(record: ExchangeRecord): Passed {
  const { request, attempts, status, backendStatus, bytesIn, reason } = record
  const target = request?.target ?? ''
  return {
    key: `${request?.method ?? ''} ${target}`,
    id: /[?&]id=([\w.-]+)/.exec(target)?.[1] ?? '',
    path: request?.path ?? '',
    pool: record.pool ?? '',
    ...{ attempts, status, backendStatus, bytesIn, reason },
  }
}

/** Sends bytes in pieces and gives what came until the end of the connection, as latin1. */
export async function exchanged(
  port: number,
  raw: string,
  random: () => number,
): Promise<{ readonly text: string; readonly cut: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let text = ''
  let cut = false
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  socket.on('error', () => (cut = true))
  const closed = new Promise((resolve) => socket.on('close', resolve))
  for (let at = 0; at < raw.length && !socket.destroyed; ) {
    const size = random() < 0.5 ? raw.length : 1 + Math.floor(random() * 120)
    socket.write(raw.slice(at, at + size), 'latin1')
    at += size
    if (at < raw.length) await new Promise((resolve) => setImmediate(resolve))
  }
  await closed
  return { text, cut }
}

/** Works on all of them, so many at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of left) await work(item)
    }),
  )
}

/** How often each text is there. */
export function countOf(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
