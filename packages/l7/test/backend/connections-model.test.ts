import type { MemoryEnd } from '@steelyard/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { BackendConnections } from '../../src/backend/connections.ts'
import { unknownLength } from '../../src/wire/request-head.ts'
import {
  type Bed,
  bed,
  bytes,
  clientFacts,
  demand,
  Exchange,
  member,
  nothing,
  requestHead,
  text,
} from './bed.ts'

const small = (max: number): fc.Arbitrary<number> => fc.nat({ max })
const of = <const K extends string, T extends object>(
  kind: K,
  fields: { [P in keyof T]: fc.Arbitrary<T[P]> },
): fc.Arbitrary<{ readonly kind: K } & T> =>
  fc.record({ kind: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<
    { readonly kind: K } & T
  >

/** Mostly the latest. */
const which = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 6)
const framing = fc.constantFrom('sized', 'sized', 'chunked', 'chunked', 'close', 'last')

const event = fc.oneof(
  {
    weight: 10,
    arbitrary: of('seek', { reuse: fc.constantFrom(true, true, true, false), client: small(1) }),
  },
  {
    weight: 8,
    arbitrary: of('answer', { call: small(3), refuse: fc.constantFrom(true, false, false, false) }),
  },
  {
    weight: 10,
    arbitrary: of('head', {
      x: which,
      body: fc.constantFrom('none', 'none', 'none', 'sized', 'chunked'),
      length: fc.constantFrom(1, 20, 5000),
    }),
  },
  { weight: 8, arbitrary: of('body', { x: which, length: fc.constantFrom(1, 7, 3000) }) },
  { weight: 6, arbitrary: of('finish', { x: which }) },
  { weight: 3, arbitrary: of('abort', { x: which }) },
  { weight: 3, arbitrary: of('pause', { x: which }) },
  { weight: 4, arbitrary: of('resume', { x: which }) },
  {
    weight: 12,
    arbitrary: of('respond', {
      end: which,
      framing,
      length: fc.constantFrom(0, 1, 30, 6000),
      interim: fc.constantFrom(0, 0, 0, 1),
      early: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 14,
    arbitrary: of('send', {
      end: which,
      length: fc.constantFrom(1, 10, 500, 10_000),
      extra: fc.constantFrom(...Array.from({ length: 9 }, () => false), true),
    }),
  },
  {
    weight: 3,
    arbitrary: of('act', {
      end: which,
      how: fc.constantFrom('end' as const, 'reset' as const, 'slow' as const, 'slow' as const),
    }),
  },
  // A whole exchange, as far as it goes.
  {
    weight: 12,
    arbitrary: of('converse', {
      framing,
      length: fc.constantFrom(0, 30, 6000),
      send: fc.constantFrom(5, 60, 3000, 100_000, 100_000, 100_000),
      extra: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 16, arbitrary: of('steps', { count: small(10), which: small(6) }) },
  { weight: 14, arbitrary: of('settle', {}) },
  { weight: 2, arbitrary: of('time', { ms: fc.constantFrom(50, 400, 3000) }) },
  { weight: 1, arbitrary: of('forget', {}) },
  { weight: 1, arbitrary: of('clientGone', { client: small(1) }) },
)

const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'

function content(id: string, length: number): string {
  return `<${id}>`.repeat(Math.ceil(length / (id.length + 2))).slice(0, length)
}

/** An exchange that checks what it is told against what it asked. */
class Asker extends Exchange {
  readonly id: string
  stage: 'seeking' | 'ready' | 'sending' | 'sent' | 'gone' = 'seeking'
  length = 0
  given = 0
  chunked = false
  readonly wrong: string[] = []

  constructor(id: string) {
    super()
    this.id = id
    this.during = (what) => this.#check(what)
  }

  get live(): boolean {
    return !this.over && this.stage !== 'gone'
  }

  #check(what: string): void {
    if (this.stage === 'gone') this.wrong.push(`${what} was told behind the end`)
    if (what === 'connected') this.stage = 'ready'
    if (what === 'body' && this.body !== content(this.id, this.body.length)) {
      this.wrong.push(`a body that is not its own: ${this.body.slice(0, 60)}`)
    }
    if (what === 'head' && this.stage === 'ready') this.wrong.push('a response before the request')
    if (what === 'end' && isFramed(this) && this.body.length !== Number(lengthLine(this))) {
      this.wrong.push(`an end after ${this.body.length} of ${lengthLine(this)} bytes`)
    }
    if (what === 'end' || what === 'failed' || what === 'unconnected') this.stage = 'gone'
  }
}

/** The member says twice how long its body is, so that an early end shows with every framing. */
function lengthLine(x: Exchange): string | undefined {
  return x.heads
    .at(-1)
    ?.lines.find((line) => line.startsWith('X-Length: '))
    ?.slice(10)
}

/** Nobody can tell where a body ends that says no length; only a reset shows. */
function isFramed(x: Exchange): boolean {
  const lines = x.heads.at(-1)?.lines ?? []
  return lines.some((line) => /^(?:Content-Length|Transfer-Encoding):/.test(line))
}

/** The member's end of a connection: reads requests as strictly as it can, and sends what it is told to. */
class Origin {
  readonly end: MemoryEnd
  /** Responses under way, as one text. */
  #queue = ''
  /** Requests answered; the one that is being read is not yet. */
  #answered = new Set<string>()
  #closes = false
  #requests: { id: string; whole: boolean }[] = []

  constructor(end: MemoryEnd) {
    this.end = end
  }

  /** Parses everything that came; throws when it is not a sequence of whole requests and a beginning of one. */
  read(): void {
    this.#requests = []
    let rest = text(this.end.received)
    if (rest.startsWith('PROXY ')) rest = rest.slice(rest.indexOf('\r\n') + 2)
    while (rest !== '') {
      const headEnd = rest.indexOf('\r\n\r\n')
      if (headEnd < 0) {
        check(/^[GP]/.test(rest), 'a request that begins as none of ours')
        return
      }
      const head = rest.slice(0, headEnd)
      const [, id] = /^(?:GET|POST) \/(x\d+) HTTP\/1\.1\r\nHost: a\.example(?:\r\n|$)/.exec(head)!
      rest = rest.slice(headEnd + 4)
      const length = Number(/Content-Length: (\d+)/.exec(head)?.[1] ?? 0)
      let body: string
      let whole: boolean
      if (head.includes('Transfer-Encoding: chunked')) {
        ;({ body, rest, whole } = unchunk(rest))
      } else {
        body = rest.slice(0, length)
        rest = rest.slice(length)
        whole = body.length === length
      }
      check(body === content(id!, body.length), `the body of ${id} is not its own`)
      this.#requests.push({ id: id!, whole })
      check(whole || rest === '', 'bytes behind an unfinished request')
    }
  }

  has(id: string): boolean {
    this.read()
    return this.#requests.some((request) => request.id === id)
  }

  respond(how: string, length: number, interim: number, early: boolean): void {
    this.read()
    const request = this.#requests.find(({ id }) => !this.#answered.has(id))
    if (request === undefined || this.#closes || (!request.whole && !early)) return
    this.#answered.add(request.id)
    const body = content(request.id, length)
    const lines = `HTTP/1.1 200 OK\r\nX-Length: ${length}\r\n`
    this.#queue += 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(interim)
    if (how === 'chunked') {
      const half = length >> 1
      const pieces = [body.slice(0, half), body.slice(half)].filter((piece) => piece !== '')
      const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')
      this.#queue += `${lines}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`
    } else if (how === 'close') {
      this.#queue += `${lines}\r\n${body}`
      this.#closes = true
    } else {
      if (how === 'last') this.#closes = true
      const last = how === 'last' ? 'Connection: close\r\n' : ''
      this.#queue += `${lines}${last}Content-Length: ${length}\r\n\r\n${body}`
    }
  }

  send(length: number, withExtra: boolean): void {
    if (this.#queue === '') return
    const piece = this.#queue.slice(0, length)
    this.#queue = this.#queue.slice(length)
    const poisoned = withExtra && this.#queue === '' && !this.#closes
    this.end.send(bytes(poisoned ? piece + extra : piece))
    if (this.#queue === '' && this.#closes) this.end.end()
  }
}

function check(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Error(problem)
}

function unchunk(wire: string): { body: string; rest: string; whole: boolean } {
  let rest = wire
  let body = ''
  for (;;) {
    const line = rest.indexOf('\r\n')
    if (line < 0) return { body, rest: '', whole: false }
    const size = Number.parseInt(rest.slice(0, line), 16)
    check(size >= 0, 'a chunk without size')
    rest = rest.slice(line + 2)
    body += rest.slice(0, size)
    if (rest.length < size + 2) return { body, rest: '', whole: false }
    check(rest.slice(size, size + 2) === '\r\n', 'a chunk without end')
    rest = rest.slice(size + 2)
    if (size === 0) return { body, rest, whole: true }
  }
}

/** One leg is one exchange's at a time. */
function checkOwners(askers: readonly Asker[]): void {
  const busy = askers.filter((x) => x.live && x.leg !== undefined).map((x) => x.leg)
  expect(new Set(busy).size).toBe(busy.length)
}

it('never mixes two exchanges, and leaves nothing, whatever happens in whatever order', async () => {
  const seen = { ends: 0, cut: 0, refused: 0, replayable: 0, reused: 0, aborted: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 30, maxLength: 160, size: 'max' }),
      fc.record({
        proxied: fc.constantFrom(false, false, true),
        maxIdle: fc.constantFrom(1, 256),
        maxRequests: fc.constantFrom(0, 3),
      }),
      async (events, { proxied, ...options }) => {
        const rig: Bed = bed({
          ...options,
          idleTimeout: 2000,
          maxLifetime: 9000,
          ...(proxied ? { sendProxy: 'v1' as const } : {}),
        })
        const { net, clock } = rig
        const connections: BackendConnections = rig.connections
        const askers: Asker[] = []
        const origins: Origin[] = []
        const at = <T>(list: readonly T[], index: number): T | undefined => list.at(-1 - index)
        for (const each of events) {
          switch (each.kind) {
            case 'seek': {
              const x = new Asker(`x${askers.length}`)
              askers.push(x)
              x.search = connections.seek(
                member,
                x,
                demand({
                  mayReuse: each.reuse,
                  client: clientFacts(each.client + 1),
                  connectTimeoutMs: 1000,
                }),
              )
              break
            }
            case 'answer': {
              const call = net.calls[each.call % Math.max(1, net.calls.length)]
              if (each.refuse) call?.refuse()
              else if (call !== undefined) origins.push(new Origin(call.accept()))
              break
            }
            case 'head': {
              const x = at(askers, each.x)
              if (x === undefined || x.stage !== 'ready' || x.over) break
              const { body, length } = each
              x.stage = body === 'none' ? 'sent' : 'sending'
              x.length = length
              x.chunked = body === 'chunked'
              const declared = body === 'none' ? 0 : body === 'sized' ? length : unknownLength
              x.send(requestHead(body === 'none' ? 'GET' : 'POST', `/${x.id}`), declared)
              break
            }
            case 'body': {
              const x = at(askers, each.x)
              if (x === undefined || x.stage !== 'sending' || x.over) break
              const length = Math.min(each.length, x.length - x.given)
              x.leg!.sendBody(bytes(content(x.id, x.given + length).slice(x.given)))
              x.given += length
              break
            }
            case 'finish': {
              const x = at(askers, each.x)
              if (x === undefined || x.stage !== 'sending' || x.over) break
              if (!x.chunked) {
                x.leg!.sendBody(bytes(content(x.id, x.length).slice(x.given)))
              }
              x.stage = 'sent'
              x.leg!.finish(undefined)
              break
            }
            case 'abort': {
              const x = at(askers, each.x)
              if (x === undefined || !x.live) break
              x.stage = 'gone'
              seen.aborted += 1
              if (x.leg === undefined) x.search?.cancel()
              else x.leg.abort()
              break
            }
            case 'pause':
            case 'resume': {
              const x = at(askers, each.x)
              if (x === undefined || !x.live || x.leg === undefined) break
              if (each.kind === 'pause') x.leg.pauseBody()
              else x.leg.resumeBody()
              break
            }
            case 'respond':
              at(origins, each.end)?.respond(each.framing, each.length, each.interim, each.early)
              break
            case 'send':
              at(origins, each.end)?.send(each.length, each.extra)
              break
            case 'act': {
              const end = at(origins, each.end)?.end
              if (end === undefined) break
              if (each.how === 'slow') end.slow = !end.slow
              else end[each.how]()
              break
            }
            case 'converse': {
              const x = new Asker(`x${askers.length}`)
              askers.push(x)
              x.search = connections.seek(member, x, demand())
              const call = x.leg === undefined ? net.calls.at(-1) : undefined
              if (call !== undefined) origins.push(new Origin(call.accept()))
              await net.settle()
              if (x.stage !== 'ready' || x.over) break
              x.stage = 'sent'
              x.send(requestHead('GET', `/${x.id}`))
              await net.settle()
              for (const origin of origins) {
                if (!origin.has(x.id)) continue
                origin.respond(each.framing, each.length, 0, false)
                origin.send(each.send, each.extra)
              }
              if (each.length > 30) await net.settle()
              break
            }
            case 'steps':
              for (let i = 0; i < each.count; i++) net.step(each.which)
              break
            case 'settle':
              await net.settle()
              break
            case 'time':
              clock.advance(each.ms)
              break
            case 'forget':
              connections.forget(member.id)
              break
            default:
              connections.clientGone!(each.client + 1)
          }
          checkOwners(askers)
        }
        await net.settle()
        for (const origin of origins) {
          origin.end.slow = false
          await net.settle()
          origin.read()
        }
        for (const x of askers) {
          expect(x.wrong).toEqual([])
          expect(x.body).not.toContain('poison')
          if (x.error?.replayable === true) expect(x.heads).toEqual([])
          if (x.told.includes('end')) seen.ends += 1
          if (x.error?.phase === 'response-body') seen.cut += 1
          if (x.error?.code === 'bad-response') seen.refused += 1
          if (x.error?.replayable === true) seen.replayable += 1
          if (x.live && x.leg !== undefined) x.leg.abort()
          else if (x.live) x.search?.cancel()
          x.stage = 'gone'
        }
        seen.reused += connections.stats!().reused
        const { opened, closed } = connections.stats!()
        expect(await rig.left()).toEqual(nothing)
        const after = connections.stats!()
        expect(after.opened).toBe(opened)
        expect(Object.values(after.closed).reduce((sum, count) => sum + count, 0)).toBe(opened)
        expect(closed.tunnel).toBe(0)
        for (const x of askers) expect(x.wrong).toEqual([])
      },
    ),
    { numRuns: 300 },
  )
  // The model is worth something only when all of it happens.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10)
}, 60_000)
