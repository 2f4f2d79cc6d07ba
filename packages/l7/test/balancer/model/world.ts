import type { Pool } from '@steelyard/core'
import { pool } from '@steelyard/core'
import {
  type ManualClock,
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
  type HttpFilter,
  httpBalancer,
  route,
} from '../../../src/index.ts'
import { readMessages } from './http-reader.ts'
import { oddFilters } from './odd-filters.ts'

/** How a run is set up. */
export interface Setup {
  readonly members: number
  readonly maxConnections: number
  readonly retries: number
  readonly statuses: boolean
  readonly hedge: boolean
  readonly halfClose: boolean
  readonly continueBy: 'balancer' | 'backend'
  readonly whenDown: 'keep' | 'reset'
  readonly maxBody: number
  readonly filters: number
  readonly window: number
  readonly reuse: 'safe' | 'always' | 'never'
}

/** One thing that happens; what the numbers mean is the kind's own. */
export interface Step {
  readonly kind: (typeof kinds)[number]
  readonly a: number
  readonly b: number
  /** So much news is delivered before the next thing happens; negative for all. */
  readonly news: number
}

export const kinds = [
  'come',
  'come',
  'come',
  'come',
  'serve',
  'serve',
  'serve',
  'serve',
  'open',
  'ask',
  'ask',
  'ask',
  'push',
  'push',
  'whole',
  'whole',
  'whole',
  'clientEnd',
  'clientReset',
  'clientSlow',
  'accept',
  'accept',
  'accept',
  'refuse',
  'answer',
  'answer',
  'answer',
  'answer',
  'backendPush',
  'backendPush',
  'backendWhole',
  'backendWhole',
  'backendWhole',
  'garbage',
  'backendEnd',
  'backendReset',
  'backendSlow',
  'pass',
  'member',
  'reconfigure',
  'cut',
  'hooks',
] as const

interface Asked {
  readonly id: number
  readonly method: string
  readonly old: boolean
  readonly body: string
  readonly upgrade: boolean
  /** Bytes up to here have to be sent for the request to be whole. */
  end: number
}

interface Client {
  readonly end: MemoryEnd
  readonly asked: Asked[]
  todo: string
  sent: number
  queued: number
  fin: boolean
}

interface Planned {
  readonly id: number
  readonly status: number
  readonly body: string
  readonly truncated: boolean
  /** It ends with its connection: a FIN is its end, wherever it comes. */
  readonly endsWith: Backend | undefined
}

interface Backend {
  readonly end: MemoryEnd
  todo: string
  answered: number
  fin: boolean
  broken: boolean
}

/** A balancer between clients and members that do as they like, and what must be true of it all the same. */
export class World {
  readonly network: MemoryStreams = memoryStreams()
  readonly clock: ManualClock = manualClock()
  readonly records: ExchangeRecord[] = []
  readonly #errors: string[] = []
  readonly #setup: Setup
  readonly #pool: Pool
  readonly #clients: Client[] = []
  readonly #backends: Backend[] = []
  readonly #asked = new Map<number, Asked>()
  /** What members said, by the tag of the response. */
  readonly #planned = new Map<string, Planned>()
  readonly #filters: HttpFilter[]
  readonly #thinking: (() => void)[] = []
  #edge!: HttpBalancer
  #nextId = 1
  #nextTag = 1

  constructor(setup: Setup) {
    this.#setup = setup
    this.network.window = setup.window
    this.#filters = oddFilters(setup.filters, (go) => this.#thinking.push(go))
    this.#pool = pool({
      backends: Array.from({ length: setup.members }, (_, i) => ({
        id: `m${i}`,
        address: `10.1.0.${i + 1}:80`,
        ...(setup.maxConnections === 0 ? {} : { maxConnections: setup.maxConnections }),
      })),
      clock: this.clock,
      random: () => 0.5,
      queueLimit: 3,
    })
  }

  async begin(): Promise<void> {
    this.#edge = httpBalancer({
      ...this.#options(0),
      listen: '10.0.0.1:80',
      transport: this.network.transport,
      clock: this.clock,
      random: () => 0.5,
      onExchange: (record) => this.records.push(record),
    })
    await this.#edge.start()
  }

  #options(turn: number): HttpBalancerOptions {
    const { retries, statuses, hedge, halfClose, continueBy, whenDown, maxBody, reuse } =
      this.#setup
    const how: ForwardOptions = {
      retries: {
        attempts: retries,
        nonIdempotent: false,
        on: statuses ? ['connect', 'reset', 'timeout', 503] : ['connect', 'reset'],
        ...(hedge ? { hedge: '200ms' } : {}),
        bodyBytes: 400,
      },
      upstream: { reuse },
      ...(maxBody === 0 ? {} : { maxBody }),
    }
    return {
      listen: '10.0.0.1:80',
      routes: [route(always, forward(this.#pool, how))],
      use: turn % 2 === 0 ? this.#filters : [],
      halfClose,
      continueBy,
      whenDown,
      forwarding: { forwarded: 'none', via: 'none', pseudonym: 'edge' },
      timeouts: {
        head: '2s',
        keepAlive: '3s',
        body: '2s',
        queue: '2s',
        connect: '1s',
        firstByte: turn % 3 === 2 ? '2s' : '4s',
        idle: '3s',
        tunnel: '4s',
      },
    }
  }

  async do({ kind, a, b, news }: Step): Promise<void> {
    const client = this.#clients[a % Math.max(1, this.#clients.length)]
    const backend = this.#backends[a % Math.max(1, this.#backends.length)]
    switch (kind) {
      case 'come': {
        // A request, as far as it goes.
        const one = client ?? this.#open()
        this.#ask(one, b)
        this.#push(one, Number.POSITIVE_INFINITY)
        if (news < 0) await this.network.settle()
        this.#accept(0)
        break
      }
      case 'serve':
        // Everybody answers.
        for (const each of this.#backends) {
          this.#answer(each, b)
          this.#say(each, a === 0 ? 50 : Number.POSITIVE_INFINITY)
        }
        break
      case 'open':
        if (this.#clients.length < 6) this.#open()
        break
      case 'ask':
        this.#ask(client ?? this.#open(), b)
        break
      case 'push':
        if (client !== undefined) this.#push(client, 1 + (b % 60))
        break
      case 'whole':
        if (client !== undefined) this.#push(client, Number.POSITIVE_INFINITY)
        break
      case 'clientEnd':
        if (client !== undefined) {
          client.fin = true
          client.end.end()
        }
        break
      case 'clientReset':
        client?.end.reset()
        break
      case 'clientSlow':
        if (client !== undefined) client.end.slow = b % 2 === 0
        break
      case 'accept':
        this.#accept(a)
        break
      case 'refuse':
        this.network.calls[a % Math.max(1, this.network.calls.length)]?.refuse()
        break
      case 'answer':
        if (backend !== undefined) this.#answer(backend, b)
        break
      case 'backendPush':
        if (backend !== undefined) this.#say(backend, 1 + (b % 80))
        break
      case 'backendWhole':
        if (backend !== undefined) this.#say(backend, Number.POSITIVE_INFINITY)
        break
      case 'garbage':
        if (backend !== undefined && backend.todo === '' && backend.end.send(bytes('?!\r\n\r\n')))
          backend.broken = true
        break
      case 'backendEnd':
        if (backend !== undefined) {
          backend.fin = true
          backend.end.end()
        }
        break
      case 'backendReset':
        backend?.end.reset()
        break
      case 'backendSlow':
        if (backend !== undefined) backend.end.slow = b % 2 === 0
        break
      case 'pass':
        await this.pass([10, 50, 300, 1100, 2100, 4100][b % 6]!)
        break
      case 'member':
        this.#member(a, b)
        break
      case 'reconfigure':
        this.#edge.reconfigure(this.#options(b))
        break
      case 'cut':
        if (b % 4 === 0) this.#edge.cut(a % 2 === 0 ? {} : { backendId: `m${a % 3}` })
        break
      case 'hooks':
        this.#think()
        break
    }
    if (news < 0) await this.network.settle()
    else for (let i = 0; i < news; i++) this.network.step(a + i)
    this.look()
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(100, left))
      await this.network.settle()
    }
  }

  /** What holds at any time. */
  look(): void {
    if (this.#errors.length > 0) throw new Error(this.#errors[0])
    for (const client of this.#clients) this.#lookAtClient(client)
    const heads = new Map<number, number>()
    for (const backend of this.#backends) this.#lookAtBackend(backend, heads)
    for (const [id, count] of heads) {
      const { method } = this.#asked.get(id)!
      if (method === 'POST' && count > 1) throw new Error(`POST ${id} was seen ${count} times`)
    }
    const paths = this.records.map(({ request }) => request?.path).filter((path) => path)
    if (new Set(paths).size < paths.length) throw new Error(`two records of one: ${paths.join()}`)
    const { spareHeads } = this.#edge as unknown as { spareHeads: object[] }
    if (new Set(spareHeads).size < spareHeads.length) throw new Error('a spare head twice')
    for (const { active, backend } of this.#pool.members()) {
      if (active < 0) throw new Error(`${backend.id} has ${active}`)
    }
  }

  /** Nobody does anything any more: every wait has its limit. */
  async rest(): Promise<void> {
    let { exchanges, connections } = this.#edge.stats()
    for (let i = 0; i < 40 && exchanges + connections > 0; i++) {
      this.#think()
      await this.pass(2500)
      ;({ exchanges, connections } = this.#edge.stats())
    }
    if (exchanges > 0) throw new Error(`${exchanges} exchanges never end`)
    if (connections > 0) throw new Error(`${connections} connections never end`)
    const active = this.#pool.load.sum()
    if (active !== 0) throw new Error(`${active} are counted that are none`)
    this.look()
  }

  async stop(drainMs: number): Promise<void> {
    const stopped = this.#edge.stop({ drain: drainMs })
    let over = false
    void stopped.then(() => {
      over = true
    })
    for (let i = 0; i < 100 && !over; i++) {
      await this.network.settle()
      this.clock.advance(100)
    }
    await this.network.settle()
    this.look()
    if (!over) throw new Error('the stop never ends')
    const { exchanges, requests, connections, upstream } = this.#edge.stats()
    const counts = { exchanges, connections, open: this.network.open, upstream: upstream.open }
    const wrong = Object.entries(counts).find(([, count]) => count !== 0)
    if (wrong !== undefined) throw new Error(`after the stop: ${wrong.join()}`)
    if (this.#pool.load.sum() !== 0) throw new Error('after the stop members are at work')
    if (requests !== this.records.length) {
      throw new Error(`${requests} requests, ${this.records.length} records`)
    }
    if (this.clock.pending > 0) throw new Error(`${this.clock.pending} timers are left`)
  }

  #think(): void {
    for (const go of this.#thinking.splice(0)) go()
  }

  #open(): Client {
    const end = this.network.client(this.#edge.address!)
    const client: Client = { end, asked: [], todo: '', sent: 0, queued: 0, fin: false }
    this.#clients.push(client)
    return client
  }

  #ask(client: Client, b: number): void {
    const id = this.#nextId++
    const form = b % 12
    const old = b % 17 === 3
    const length = [0, 3, 40, 700, 3000, 9000][(b >> 4) % 6]!
    const body = form < 4 ? '' : filler(`b${id}.`, Math.max(1, length))
    const method =
      form === 3 ? 'HEAD' : form < 4 || form === 11 ? 'GET' : (b >> 3) % 2 === 0 ? 'PUT' : 'POST'
    const upgrade = form === 11 && !old
    const lines = [`${method} /r${id} HTTP/1.${old ? 0 : 1}`, 'Host: a.example', `X-Id: ${id}`]
    if (old && b % 2 === 1) lines.push('Connection: keep-alive')
    if (b % 23 === 5) lines.push('Connection: close')
    let text = ''
    const withBody = !upgrade && form >= 4 && form !== 11
    if (upgrade) {
      lines.push('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')
      lines.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
      text = `t${id}.`
    } else if (withBody && form >= 8 && !old) {
      lines.push('Transfer-Encoding: chunked')
      const piece = [1, 5, 512, 4000][(b >> 6) % 4]!
      for (let at = 0; at < body.length; at += piece * 3) {
        const part = body.slice(at, at + piece * 3)
        text += `${part.length.toString(16)}\r\n${part}\r\n`
      }
      text += '0\r\n\r\n'
    } else if (withBody) {
      lines.push(`Content-Length: ${body.length}`)
      text = body
    }
    if (withBody && b % 5 === 0 && !old) lines.push('Expect: 100-continue')
    const whole = `${lines.join('\r\n')}\r\n\r\n${text}`
    client.todo += whole
    client.queued += whole.length
    const asked = { id, method, old, body: withBody ? body : '', upgrade, end: client.queued }
    client.asked.push(asked)
    this.#asked.set(id, asked)
  }

  #push(client: Client, count: number): void {
    const part = client.todo.slice(0, count)
    if (part === '' || !client.end.send(bytes(part))) return
    client.todo = client.todo.slice(part.length)
    client.sent += part.length
  }

  #accept(a: number): void {
    const { calls } = this.network
    const call = calls[a % Math.max(1, calls.length)]
    if (call === undefined || call.over) return
    const end = call.accept()
    this.#backends.push({ end, todo: '', answered: 0, fin: false, broken: false })
  }

  #answer(backend: Backend, b: number): void {
    if (backend.broken || backend.end.over !== undefined) return
    const seen = readMessages(latin1(backend.end), 'requests')
    const request = seen[backend.answered]
    if (request === undefined || (!request.whole && b % 4 !== 0)) return
    backend.answered += 1
    if (!request.whole) backend.broken = true
    const id = Number(request.fields.get('x-id'))
    const tag = `${id}-${this.#nextTag++}`
    const form = b % 14
    if (form === 13 && request.fields.has('upgrade')) {
      backend.broken = true
      backend.todo += `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Tag: ${tag}\r\n\r\nT${id}.`
      return
    }
    const status = form === 12 ? 503 : form === 11 ? 204 : form === 10 ? 304 : 200
    const head = request.start.startsWith('HEAD')
    const length = [0, 5, 90, 1500, 5000, 12_000][(b >> 4) % 6]!
    const none = head || status === 204 || status === 304
    const body = none ? '' : filler(`A${tag}.`, length)
    const truncated = !none && b % 19 === 7 && body.length > 1
    const untilClose = !none && !truncated && form >= 6 && form < 8
    this.#planned.set(tag, {
      id,
      status,
      body,
      truncated,
      endsWith: untilClose ? backend : undefined,
    })
    const lines = [`HTTP/1.1 ${status} X`, `X-Tag: ${tag}`]
    if (b % 13 === 4) lines.push('Connection: close')
    let text = body
    if (status === 204) text = ''
    else if (untilClose) backend.broken = true
    else if (form < 3 && !none) {
      lines.push('Transfer-Encoding: chunked')
      text = ''
      const piece = [3, 700, 5000][(b >> 5) % 3]!
      for (let at = 0; at < body.length; at += piece) {
        const part = body.slice(at, at + piece)
        text += `${part.length.toString(16)}\r\n${part}\r\n`
      }
      text += '0\r\n\r\n'
    } else lines.push(`Content-Length: ${none ? 55 : body.length}`)
    if (truncated) {
      text = text.slice(0, text.length >> 1)
      backend.broken = true
    }
    const interim =
      b % 11 === 2
        ? 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
        : b % 11 === 3
          ? 'HTTP/1.1 100 Continue\r\n\r\n'
          : ''
    backend.todo += `${interim}${lines.join('\r\n')}\r\n\r\n${text}`
  }

  #say(backend: Backend, count: number): void {
    const part = backend.todo.slice(0, count)
    if (part !== '' && backend.end.send(bytes(part))) backend.todo = backend.todo.slice(part.length)
    if (backend.broken && backend.todo === '') {
      backend.fin = true
      backend.end.end()
    }
  }

  #member(a: number, b: number): void {
    const id = `m${a % this.#setup.members}`
    const since = this.clock.wallNow()
    const verdicts = { 0: 'down', 1: 'up', 2: 'up' } as const
    if (b % 5 < 3) {
      const state = verdicts[(b % 5) as 0 | 1 | 2]
      this.#pool.report(id, { state, since, reason: 'the test says so' })
    } else {
      this.#pool.edit(id, { state: b % 5 === 3 ? 'draining' : 'enabled' })
    }
  }

  #lookAtClient({ end, asked }: Client): void {
    const text = latin1(end)
    // What was sent early for a tunnel that was refused is taken for a request, a bad one.
    const messages = readMessages(
      text,
      (index) => asked[index]?.method ?? (asked[index - 1]?.upgrade === true ? 'GET' : undefined),
    )
    let index = 0
    for (const message of messages) {
      const status = Number(message.start.slice(9, 12))
      const request = asked[index]!
      const tag = message.fields.get('x-tag')
      if (status === 101) {
        const rest = text.slice(text.indexOf('\r\n\r\n', text.indexOf(' 101 ')) + 4)
        if (!`T${request.id}.`.startsWith(rest)) throw new Error(`tunnel: ${rest}`)
        return
      }
      if (status < 200) continue
      index += 1
      if (tag === undefined) {
        if (status < 400) throw new Error(`${message.start} is nobody's`)
        if (asked[index - 1] === undefined) return
        continue
      }
      const planned = this.#planned.get(tag)!
      const what = `response ${tag} to request ${request.id}`
      if (planned.id !== request.id) throw new Error(`${what} is another's`)
      if (planned.status !== status) throw new Error(`${what} has status ${status}`)
      if (!planned.body.startsWith(message.body)) throw new Error(`${what} has other bytes`)
      const clean = message.whole || (message.untilClose && end.ended)
      const all = message.body.length === planned.body.length || planned.endsWith?.fin === true
      if (request.method !== 'HEAD' && clean && (!all || planned.truncated)) {
        throw new Error(`${what} is truncated, and ends cleanly`)
      }
      if (request.method === 'HEAD' || !clean) continue
      const record = this.records.find(({ request: of }) => of?.path === `/r${request.id}`)
      if (record === undefined) throw new Error(`${what} is whole, and there is no record`)
    }
  }

  #lookAtBackend({ end }: Backend, heads: Map<number, number>): void {
    const text = latin1(end)
    for (const { start, fields, body, whole } of readMessages(text, 'requests')) {
      const id = Number(fields.get('x-id'))
      const asked = this.#asked.get(id)
      if (asked === undefined || start !== `${asked.method} /r${id} HTTP/1.1`) {
        throw new Error(`nobody asked for ${start}`)
      }
      heads.set(id, (heads.get(id) ?? 0) + 1)
      if (!asked.body.startsWith(body)) throw new Error(`request ${id} has other bytes`)
      if (whole && body.length !== asked.body.length) throw new Error(`request ${id} is truncated`)
      const client = this.#clients.find((one) => one.asked.includes(asked))!
      if (whole && client.sent < asked.end - (asked.upgrade ? `t${id}.`.length : 0)) {
        throw new Error(`request ${id} is whole before it was sent`)
      }
      if (asked.upgrade) break
    }
  }
}

function filler(unit: string, length: number): string {
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length)
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

function latin1(end: MemoryEnd): string {
  return Buffer.from(end.received).toString('latin1')
}
