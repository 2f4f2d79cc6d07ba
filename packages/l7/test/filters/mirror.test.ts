import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Pool, pool } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { httpMirrorSender } from '../../src/filters/mirror/http-mirror-sender.ts'
import type {
  MirrorOutcome,
  MirrorOver,
  MirrorRequest,
  MirrorSender,
} from '../../src/filters/mirror/mirror-sender.ts'
import { type Mirror, type MirrorOptions, mirror } from '../../src/filters/mirror.ts'
import { BodyEnd, type BodyExchangeInit, bodyExchange, requestHead } from './body-rig.ts'
import { finish } from './fake-exchange.ts'

/** Keeps what it is to send. */
function fakeSender() {
  const sent: { request: MirrorRequest; over: MirrorOver; cancelled: boolean }[] = []
  let closed = false
  const sender: MirrorSender = {
    send(request, _pool, over) {
      const call = { request, over, cancelled: false }
      sent.push(call)
      return {
        cancel() {
          call.cancelled = true
          over('cancelled')
        },
      }
    },
    close() {
      closed = true
    },
  }
  return { sender, sent, isClosed: () => closed }
}

function lab(options: Partial<MirrorOptions> = {}) {
  const { sender, sent, isClosed } = fakeSender()
  const filter = mirror({ pool: pool({ name: 'shadow' }), sender, ...options })
  return {
    filter,
    sent,
    isClosed,
    begin(init: BodyExchangeInit = {}, lines = {}, head = {}) {
      const x = bodyExchange(init)
      const transformer = x.request.bodyLength === 0 ? undefined : filter.requestBody?.(x)
      const body = transformer === undefined ? undefined : new BodyEnd(transformer)
      const upstream = requestHead(lines, { method: x.request.method, ...head })
      void filter.upstreamHead?.(upstream, x)
      return { x, body, unchanged: transformer?.unchanged, upstream }
    },
  }
}

describe('a mirror', () => {
  it('copies what goes to the member, without what frames it', () => {
    const { sent, begin, filter } = lab({ hostSuffix: '-shadow' })
    const lines = {
      accept: '*/*',
      'x-forwarded-for': '192.0.2.1',
      connection: 'x',
      'transfer-encoding': 'chunked',
      'content-length': '5',
      te: 'trailers',
      expect: '100-continue',
      'X-Shadow': 'forged',
    }
    const head = { path: '/a', query: 'b=1', host: 'www.example.com:8080' }
    const { x, upstream } = begin({ client: '192.0.2.7' }, lines, head)
    expect(sent).toHaveLength(1)
    expect(sent[0]!.request).toMatchObject({
      method: 'GET',
      target: '/a?b=1',
      host: 'www-shadow.example.com:8080',
      client: '192.0.2.7',
      body: undefined,
      timeoutMs: 5000,
      headers: [
        ['accept', '*/*'],
        ['x-forwarded-for', '192.0.2.1'],
        ['x-shadow', '1'],
      ],
    })
    expect(x.flags).toEqual(['mirrored'])
    expect(upstream.get('x-shadow')).toBe('forged')
    expect(filter.active).toBe(1)
    sent[0]!.over('answered')
    sent[0]!.over('answered')
    expect(filter.active).toBe(0)
    expect(filter.counts).toMatchObject({ sent: 1, answered: 1 })
  })

  it.each([
    ['www.example.com', 'www-s.example.com'],
    ['localhost', 'localhost-s'],
    ['localhost:80', 'localhost-s:80'],
    ['10.0.0.1:80', '10.0.0.1:80'],
    ['[::1]:80', '[::1]:80'],
    ['', ''],
  ])('puts the suffix behind the first label: %s', (host, told) => {
    const { sent, begin } = lab({ hostSuffix: '-s' })
    begin({}, {}, { host })
    expect(sent[0]!.request.host).toBe(told)
  })

  it('passes the body on as it came, and sends its copy when it is whole', () => {
    const { sent, begin } = lab()
    const { body, unchanged } = begin({ method: 'POST', bodyLength: -1 })
    expect(unchanged).toBe(true)
    body!.room = 0
    expect(body!.pipe.write(Buffer.from('one'))).toBe(false)
    body!.drain()
    expect(body!.readyCount).toBe(1)
    body!.pipe.write(Buffer.from('two'))
    expect(sent).toHaveLength(0)
    body!.pipe.end()
    expect(body!.bytes.toString()).toBe('onetwo')
    expect(body!.ended).toBe(true)
    expect(Buffer.from(sent[0]!.request.body!).toString()).toBe('onetwo')
  })

  it('copies once, though there are several attempts', () => {
    const { sent, begin, filter } = lab()
    const { x } = begin()
    void filter.upstreamHead?.(requestHead(), x)
    expect(sent).toHaveLength(1)
  })

  it('does not copy what is too long, and lets it pass all the same', () => {
    const { sent, begin, filter } = lab({ maxBodyBytes: 4 })
    expect(begin({ bodyLength: 5 }).body).toBeUndefined()
    const { body } = begin({ bodyLength: -1 })
    body!.pipe.write(Buffer.from('12345'))
    body!.pipe.write(Buffer.from('6'))
    body!.pipe.end()
    expect(body!.bytes.toString()).toBe('123456')
    expect(sent).toHaveLength(0)
    expect(filter.counts.tooLong).toBe(2)
    expect(filter.active).toBe(0)
  })

  it('drops copies when too many are under way', () => {
    const { sent, begin, filter } = lab({ maxConcurrent: 1 })
    begin()
    const second = begin()
    expect(second.x.flags).toEqual(['mirror-dropped'])
    expect(filter.counts).toMatchObject({ sent: 1, dropped: 1 })
    sent[0]!.over('timeout')
    begin()
    expect(filter.counts).toMatchObject({ sent: 2, dropped: 1, timedOut: 1 })
  })

  it('forgets the copy of a request that was given up', () => {
    const { sent, begin, filter } = lab()
    const { x, body } = begin({ bodyLength: -1 })
    body!.pipe.write(Buffer.from('half'))
    body!.pipe.destroy()
    finish(filter, x)
    expect(sent).toHaveLength(0)
    expect(filter.active).toBe(0)
    expect(filter.counts.unfinished).toBe(1)
  })

  it('copies the share that it is told, of what matches, and no tunnels', () => {
    let next = 0
    const random = () => next
    const { sent, begin } = lab({
      percent: 5,
      random,
      match: ({ request }) => request.path !== '/no',
    })
    next = 0.049
    begin()
    expect(sent).toHaveLength(1)
    begin({ path: '/no' })
    begin({ method: 'CONNECT' })
    begin({ headers: { upgrade: 'websocket' } })
    next = 0.05
    begin()
    expect(sent).toHaveLength(1)
  })

  it('survives a sender that throws', () => {
    const sender: MirrorSender = {
      send() {
        throw new Error('broken')
      },
      close() {},
    }
    const { begin, filter } = lab({ sender })
    begin()
    expect(filter.counts).toMatchObject({ sent: 1, failed: 1 })
    expect(filter.active).toBe(0)
  })

  it('gives everything up when it is closed, and leaves a sender of others alone', () => {
    const { sent, begin, filter, isClosed } = lab()
    begin()
    filter.close()
    expect(sent[0]!.cancelled).toBe(true)
    expect(filter.active).toBe(0)
    begin()
    expect(sent).toHaveLength(1)
    expect(isClosed()).toBe(false)
  })

  it('refuses wrong options with their path', () => {
    const shadow = pool()
    expect(() => mirror({} as never)).toThrow(/mirror\.pool/)
    expect(() => mirror({ pool: shadow, percent: 101 })).toThrow(/mirror\.percent/)
    expect(() => mirror({ pool: shadow, hostSuffix: '.x' })).toThrow(/mirror\.hostSuffix/)
    expect(() => mirror({ pool: shadow, headers: { host: 'x' } })).toThrow(/mirror\.headers/)
  })
})

describe('sending over node:http', () => {
  const cleanup: (() => void)[] = []
  afterEach(() => {
    for (const task of cleanup.splice(0)) task()
  })

  async function serve(
    answer: (
      request: IncomingMessage,
      body: Buffer,
    ) => { status?: number; hang?: true; cut?: true },
  ) {
    const seen: { request: IncomingMessage; body: string }[] = []
    const server: Server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        const body = Buffer.concat(pieces)
        seen.push({ request, body: body.toString() })
        const { status = 200, hang, cut } = answer(request, body)
        if (cut) {
          request.socket.destroy()
          return
        }
        response.writeHead(status, { 'content-length': '100000' })
        if (!hang) response.end(Buffer.alloc(100_000))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const stop = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    cleanup.push(() => void stop())
    const { port } = server.address() as AddressInfo
    return { seen, stop, target: pool({ name: 'shadow', backends: [`127.0.0.1:${port}`] }) }
  }

  function send(
    sender: MirrorSender,
    target: Pool,
    init: Partial<MirrorRequest> = {},
  ): Promise<[MirrorOutcome, unknown]> {
    const request: MirrorRequest = {
      method: 'GET',
      target: '/',
      host: 'shadow.example',
      headers: [],
      body: undefined,
      client: '192.0.2.1',
      timeoutMs: 5000,
      clock: manualClock(),
      ...init,
    }
    return new Promise((resolve) => {
      sender.send(request, target, (outcome, error) => resolve([outcome, error]))
    })
  }

  const sender = () => {
    const made = httpMirrorSender()
    cleanup.push(() => made.close())
    return made
  }

  const activeOf = (target: Pool) => target.members().map(({ active }) => active)

  it('sends head and body framed by length, reads the answer away, and uses the connection again', async () => {
    const { seen, target } = await serve(() => ({}))
    const one = sender()
    const body = Buffer.from('hello')
    const headers = [
      ['X-Shadow', '1'],
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ] as const
    expect(await send(one, target, { method: 'POST', target: '/p?q', body, headers })).toEqual([
      'answered',
      undefined,
    ])
    expect(seen[0]!.body).toBe('hello')
    const { request } = seen[0]!
    expect(request.method).toBe('POST')
    expect(request.url).toBe('/p?q')
    expect(request.rawHeaders).toEqual([
      'Host',
      'shadow.example',
      'X-Shadow',
      '1',
      'cookie',
      'a=1',
      'cookie',
      'b=2',
      'Content-Length',
      '5',
      'Connection',
      'keep-alive',
    ])
    await new Promise((resolve) => setImmediate(resolve))
    await send(one, target, { method: 'DELETE' })
    expect(seen[1]!.request.headers['content-length']).toBe('0')
    expect(seen[1]!.request.socket.remotePort).toBe(request.socket.remotePort)
    expect(activeOf(target)).toEqual([0])
  })

  it.each([
    ['an error status is an answer', { status: 503 }, 'answered', 1],
    ['a cut', { cut: true }, 'failed', 1],
  ] as const)('judges the member: %s', async (_, answer, outcome, failures) => {
    const { target } = await serve(() => answer)
    const [told] = await send(sender(), target)
    expect(told).toBe(outcome)
    expect(target.members()[0]!.failures).toBe(failures)
    expect(activeOf(target)).toEqual([0])
  })

  it('gives up after the timeout, and when it is cancelled', async () => {
    let began: () => void = () => {}
    const { target } = await serve(() => {
      began()
      return { hang: true }
    })
    const clock = manualClock()
    const arrived = new Promise<void>((resolve) => {
      began = resolve
    })
    const late = send(sender(), target, { clock, timeoutMs: 100 })
    await arrived
    expect(activeOf(target)).toEqual([1])
    clock.advance(100)
    expect(await late).toEqual(['timeout', expect.objectContaining({ code: 'mirror-failed' })])
    expect(activeOf(target)).toEqual([0])

    const outcomes: MirrorOutcome[] = []
    const call = sender().send(
      {
        method: 'GET',
        target: '/',
        host: 'x',
        headers: [],
        body: undefined,
        client: '192.0.2.1',
        timeoutMs: 100,
        clock,
      },
      target,
      (outcome) => outcomes.push(outcome),
    )
    call.cancel()
    call.cancel()
    clock.advance(100)
    expect(outcomes).toEqual(['cancelled'])
    expect(activeOf(target)).toEqual([0])
    expect(clock.pending).toBe(0)
  })

  it('has no member, nobody listening, or a head that cannot be sent: told once, never thrown', async () => {
    expect(await send(sender(), pool())).toEqual(['no-backend', undefined])
    const { target, stop } = await serve(() => ({}))
    const [bad, error] = await send(sender(), target, { headers: [['x', 'a\nb']] })
    expect(bad).toBe('failed')
    expect(error).toMatchObject({ cause: { code: 'ERR_INVALID_CHAR' } })
    expect(activeOf(target)).toEqual([0])
    await stop()
    const [refused] = await send(sender(), target)
    expect(refused).toBe('failed')
    expect(activeOf(target)).toEqual([0])
  })

  it('works as the mirror of a filter', async () => {
    const { seen, target } = await serve(() => ({}))
    let shadow!: Mirror
    const answered = new Promise<void>((resolve) => {
      shadow = mirror({
        pool: target,
        sender: {
          send: (request, of, over) =>
            inner.send(request, of, (outcome, error) => {
              over(outcome, error)
              resolve()
            }),
          close() {},
        },
      })
    })
    const inner = sender()
    const x = bodyExchange({ method: 'PUT', bodyLength: 3 })
    const body = new BodyEnd(shadow.requestBody!(x)!)
    body.pipe.write(Buffer.from('abc'))
    void shadow.upstreamHead?.(requestHead({ 'x-a': 'b' }, { method: 'PUT', path: '/u' }), x)
    body.pipe.end()
    await answered
    expect(seen[0]).toMatchObject({ body: 'abc' })
    expect(seen[0]!.request.headers).toMatchObject({ 'x-shadow': '1', 'x-a': 'b' })
    expect(shadow.counts).toMatchObject({ sent: 1, answered: 1, failed: 0 })
    shadow.close()
  })
})
