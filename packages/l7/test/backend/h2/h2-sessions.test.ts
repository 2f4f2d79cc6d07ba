import { once } from 'node:events'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { manualClock } from '@steelyard/testing'
import { expect, test } from 'vitest'
import type { BackendLeg } from '../../../src/backend/backend-leg.ts'
import { Head } from '../../../src/wire/head.ts'
import { unknownLength } from '../../../src/wire/request-head.ts'
import { backendLab, demand, HeardAttempt, requestHead, vector } from './backend-lab.ts'

/** Every turn of the loop until it is so. */
async function until(so: () => boolean): Promise<void> {
  while (!so()) await new Promise(setImmediate)
}

function send(attempt: HeardAttempt, path = '/', method = 'GET'): void {
  attempt.leg!.sendHead(requestHead(method, path), 0, '')
}

test.each([false, true])('a request and its response, TLS %s', async (secure) => {
  const heard: unknown[] = []
  await using lab = await backendLab({
    secure,
    stream(stream) {
      stream.session!.on('error', () => {})
      heard.push(stream.session!.encrypted)
      stream.respond({ ':status': 201, 'x-a': ['1', '2'], 'content-length': 5 })
      stream.end('hello')
    },
  })
  const attempt = await lab.get('/x?y')
  expect(attempt.failedBy).toBeUndefined()
  expect(attempt.unconnectedBy).toBeUndefined()
  expect([attempt.status, attempt.bodyLength, attempt.body.toString()]).toEqual([201, 5, 'hello'])
  expect(attempt.lines.filter(([name]) => name === 'x-a')).toEqual([
    ['x-a', '1'],
    ['x-a', '2'],
  ])
  expect(heard).toEqual([secure])
  expect([attempt.leg!.reused, attempt.leg!.shared]).toEqual([false, true])
  expect(attempt.settledCount).toBeGreaterThan(0)
  const again = await lab.get()
  expect(again.leg!.reused).toBe(true)
  expect(lab.sessions.length).toBe(1)
  expect(lab.pool.stats!()).toMatchObject({ opened: 1, reused: 1, open: 1, connecting: 0 })
})

test('the head goes out as HTTP/2: pseudo-fields, lower case, order and repeats kept, connection fields gone', async () => {
  let raw: readonly string[] = []
  await using lab = await backendLab()
  lab.server.on('stream', (_stream, _headers, _flags, rawHeaders: string[]) => {
    raw = rawHeaders
  })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  const head = requestHead('PATCH', '/p', [
    ['X-A', '1'],
    ['Connection', 'x'],
    ['Cookie', 'a=1; b=2'],
    ['X-A', '2'],
    ['TE', 'trailers'],
    ['Content-Length', '7'],
    ['X-High', 'caf\xe9'],
  ])
  head.query = 'q'
  head.acceptsTrailers = true
  attempt.leg!.sendHead(head, 0, '')
  await attempt.done()
  expect(raw).toEqual([
    ...[':method', 'PATCH', ':scheme', 'http', ':authority', 'a.example', ':path', '/p?q'],
    ...['x-a', '1', 'cookie', 'a=1; b=2', 'x-a', '2', 'x-high', 'caf\xe9'],
    ...['te', 'trailers', 'content-length', '0'],
  ])
})

test('trailers both ways, informational heads, bodies of unknown length', async () => {
  const trailers: unknown[] = []
  await using lab = await backendLab({
    stream(stream) {
      stream.additionalHeaders({ ':status': 103, link: '</x>' })
      stream.on('trailers', (fields) => trailers.push({ ...fields }))
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': '5', 'x-sum': ['a', 'b'] }),
      )
      stream.pipe(stream)
    },
  })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  const leg = attempt.leg!
  leg.sendHead(requestHead('POST'), unknownLength, '')
  leg.sendBody(Buffer.from('a'))
  leg.sendBody(Buffer.from('b'))
  const last = new Head()
  last.add('x-check', '1')
  leg.finish(last)
  await attempt.done()
  expect(attempt.informationals).toEqual([103])
  expect([attempt.bodyLength, attempt.body.toString()]).toEqual([unknownLength, 'ab'])
  expect(attempt.trailers).toEqual([
    ['grpc-status', '5'],
    ['x-sum', 'a'],
    ['x-sum', 'b'],
  ])
  expect(trailers).toMatchObject([{ 'x-check': '1' }])
})

test.each([
  ['HEAD', 200],
  ['GET', 204],
  ['GET', 304],
])('%s answered with %i has no body', async (method, status) => {
  await using lab = await backendLab({
    stream(stream) {
      stream.respond({ ':status': status, 'content-length': status === 204 ? undefined : 9 })
      stream.end()
    },
  })
  const attempt = new HeardAttempt()
  attempt.onConnected = (leg) => leg.sendHead(requestHead(method), 0, '')
  lab.pool.seek(lab.backend, attempt, demand())
  await attempt.done()
  expect([attempt.status, attempt.bodyLength, attempt.ended]).toEqual([status, 0, true])
  await until(() => lab.pool.idle() === 1)
})

test('streams share sessions up to the limits, and then wait', async () => {
  const open: ServerHttp2Stream[] = []
  await using lab = await backendLab({
    upstream: { maxStreams: 2, maxSessions: 2 },
    stream: (stream) => void open.push(stream),
  })
  const attempts = Array.from({ length: 6 }, () => {
    const attempt = new HeardAttempt()
    attempt.onConnected = (leg) => leg.sendHead(requestHead(), 0, '')
    lab.pool.seek(lab.backend, attempt, demand())
    return attempt
  })
  await until(() => open.length === 4)
  expect(lab.sessions.length).toBe(2)
  expect(attempts.filter(({ leg }) => leg !== undefined).length).toBe(4)
  for (const stream of open.splice(0)) {
    stream.respond({ ':status': 200 })
    stream.end('x')
  }
  await until(() => open.length === 2)
  for (const stream of open) {
    stream.respond({ ':status': 200 })
    stream.end('x')
  }
  for (const attempt of attempts) expect((await attempt.done()).body.toString()).toBe('x')
  expect(lab.sessions.length).toBe(2)
})

test("the member's MAX_CONCURRENT_STREAMS is honoured, also before the first request", async () => {
  let open = 0
  let most = 0
  await using lab = await backendLab({
    server: { settings: { maxConcurrentStreams: 3 } },
    upstream: { maxSessions: 1 },
    stream(stream) {
      open += 1
      most = Math.max(most, open)
      stream.on('close', () => {
        open -= 1
      })
      setImmediate(() => {
        stream.respond({ ':status': 200 })
        stream.end('x')
      })
    },
  })
  const attempts = await Promise.all(Array.from({ length: 20 }, () => lab.get()))
  expect(attempts.every(({ status }) => status === 200)).toBe(true)
  expect(most).toBe(3)
})

test('who waits is told when the time is up, and may cancel', async () => {
  const clock = manualClock()
  await using lab = await backendLab({
    clock,
    upstream: { maxStreams: 1, maxSessions: 1 },
    stream() {},
  })
  const first = lab.seek()
  await first.until(() => first.leg !== undefined)
  send(first)
  const second = lab.seek({ connectTimeoutMs: 1000 })
  const third = new HeardAttempt()
  const search = lab.pool.seek(lab.backend, third, demand())
  search!.cancel()
  clock.advance(1100)
  expect(second.unconnectedBy).toMatchObject({ code: 'connect-timeout', replayable: true })
  expect([third.leg, third.unconnectedBy]).toEqual([undefined, undefined])
  first.leg!.abort()
})

test('the queue is bounded', async () => {
  await using lab = await backendLab({
    upstream: { maxStreams: 1, maxSessions: 1 },
    stream() {},
  })
  const first = lab.seek()
  await first.until(() => first.leg !== undefined)
  const waiting = Array.from({ length: 1025 }, () => lab.seek())
  expect(waiting[1023]!.unconnectedBy).toBeUndefined()
  expect(waiting[1024]!.unconnectedBy).toMatchObject({ code: 'queue-full' })
  first.leg!.abort()
})

test('a member that refuses the connection fails everybody who waits', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  await using lab = await backendLab({ port })
  const attempts = await Promise.all([lab.seek().done(), lab.seek().done()])
  for (const { unconnectedBy } of attempts) {
    expect(unconnectedBy).toMatchObject({
      code: 'connect-failed',
      source: 'backend',
      replayable: true,
    })
  }
  expect(lab.pool.open).toBe(0)
  expect(lab.pool.serves(lab.backend)).toBe(false)
})

test.each([
  ['speaks HTTP/1.1', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['closes at once', ''],
])('a member that %s fails the connect', async (_, text) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(text))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using lab = await backendLab({ port: (server.address() as { port: number }).port })
  const { unconnectedBy } = await lab.seek().done()
  expect(unconnectedBy).toMatchObject({
    code: 'connect-failed',
    source: 'backend',
    replayable: true,
  })
  expect(unconnectedBy!.message).toContain('does not speak HTTP/2')
  server.close()
})

test('a member that never sends SETTINGS fails the connect', async () => {
  const clock = manualClock()
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using lab = await backendLab({
    clock,
    port: (server.address() as { port: number }).port,
  })
  const attempt = lab.seek({ connectTimeoutMs: 3000 })
  await until(() => sockets.length === 1 && lab.pool.open === 1)
  clock.advance(3100)
  expect(attempt.unconnectedBy).toMatchObject({ code: 'connect-timeout' })
  clock.advance(3000)
  await until(() => lab.pool.open === 0)
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('TLS that does not agree on h2 fails the connect', async () => {
  const { createServer: createTls } = await import('node:tls')
  const server = createTls({ cert: vector('a.pem'), key: vector('a-key.pem') }, (socket) => {
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await using lab = await backendLab({
    secure: true,
    port: (server.address() as { port: number }).port,
  })
  const { unconnectedBy } = await lab.seek().done()
  expect(unconnectedBy!.message).toContain('TLS did not agree on h2')
  server.close()
})

test('REFUSED_STREAM is replayable, another reset is not', async () => {
  await using lab = await backendLab({
    stream: (stream, path) => stream.close(Number(path.slice(1))),
  })
  const refused = await lab.get(`/${constants.NGHTTP2_REFUSED_STREAM}`)
  expect(refused.failedBy).toMatchObject({ code: 'backend-reset', replayable: true })
  const failed = await lab.get(`/${constants.NGHTTP2_INTERNAL_ERROR}`)
  expect(failed.failedBy).toMatchObject({ code: 'backend-reset', replayable: false })
  expect(lab.sessions.length).toBe(1)
})

test('GOAWAY: streams above its id are replayable, those below finish, new ones go elsewhere', async () => {
  const open = new Map<string, ServerHttp2Stream>()
  await using lab = await backendLab({
    upstream: { maxSessions: 1 },
    stream(stream, path) {
      open.set(path, stream)
      if (path === '/new') {
        stream.respond({ ':status': 200 })
        stream.end('new')
      }
    },
  })
  const attempts = ['/a', '/b'].map((path) => {
    const attempt = new HeardAttempt()
    attempt.onConnected = (leg) => leg.sendHead(requestHead('GET', path), 0, '')
    lab.pool.seek(lab.backend, attempt, demand())
    return attempt
  })
  await until(() => open.size === 2)
  lab.sessions[0]!.goaway(0, 1)
  await attempts[1]!.done()
  expect(attempts[1]!.failedBy).toMatchObject({ replayable: true })
  const next = await lab.get('/new')
  expect(next.body.toString()).toBe('new')
  expect(lab.sessions.length).toBe(2)
  const stream = open.get('/a')!
  stream.respond({ ':status': 200 })
  stream.end('old')
  expect((await attempts[0]!.done()).body.toString()).toBe('old')
  await until(() => lab.pool.open === 1)
})

test('a connection that dies fails its streams; on a reused one, before an answer, replayably', async () => {
  await using lab = await backendLab({
    stream(stream, path) {
      const die = (): void => void stream.session!.socket.destroy()
      if (path === '/die') return die()
      stream.respond({ ':status': 200 })
      if (path === '/half') stream.write('half', die)
      else stream.end('x')
    },
  })
  const fresh = await lab.get('/die')
  expect(fresh.failedBy).toMatchObject({ code: 'backend-closed', replayable: false })
  await until(() => lab.pool.open === 0)
  await lab.get('/ok')
  const reused = await lab.get('/die')
  expect(reused.failedBy).toMatchObject({ code: 'backend-closed', replayable: true })
  await lab.get('/ok')
  const half = await lab.get('/half')
  expect(half.failedBy).toMatchObject({ replayable: false, phase: 'response-body' })
  expect([half.body.toString(), half.ended]).toEqual(['half', false])
})

test.each([
  ['shorter than its content-length', { 'content-length': '9' }, 'four'],
  ['with a bad content-length', { 'content-length': 'x' }, 'four'],
] as const)('a response %s is never whole', async (_, fields, body) => {
  await using lab = await backendLab({
    stream(stream) {
      stream.respond({ ':status': 200, ...fields })
      stream.end(body)
    },
  })
  const attempt = await lab.get()
  expect(attempt.ended).toBe(false)
  expect(attempt.failedBy).toBeDefined()
})

test('RST_STREAM with NO_ERROR ends a response, unless it is shorter than it said', async () => {
  await using lab = await backendLab({
    stream(stream, path) {
      stream.respond({ ':status': 200, ...(path === '/said' ? { 'content-length': '9' } : {}) })
      stream.write('half', () => {
        stream._final = (done) => done()
        stream.close(constants.NGHTTP2_NO_ERROR)
      })
    },
  })
  const unsaid = await lab.get()
  expect([unsaid.body.toString(), unsaid.ended]).toEqual(['half', true])
  const said = await lab.get('/said')
  expect([said.body.toString(), said.ended]).toEqual(['half', false])
  expect(said.failedBy).toMatchObject({ code: 'bad-response' })
})

test('an abort resets the stream by CANCEL, without END_STREAM, and frees its place', async () => {
  const codes: number[] = []
  let whole = false
  await using lab = await backendLab({
    upstream: { maxStreams: 1, maxSessions: 1 },
    stream(stream) {
      stream.on('data', () => {})
      stream.on('end', () => {
        whole ||= stream.rstCode === 0
      })
      stream.on('close', () => codes.push(stream.rstCode))
    },
  })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  attempt.leg!.sendHead(requestHead('POST'), unknownLength, '')
  attempt.leg!.sendBody(Buffer.from('half'))
  attempt.leg!.abort()
  await until(() => codes.length === 1)
  expect([codes, whole]).toEqual([[constants.NGHTTP2_CANCEL], false])
  const next = lab.seek()
  await next.until(() => next.leg !== undefined)
  expect(attempt.failedBy).toBeUndefined()
  next.leg!.abort()
})

test('a request that is shorter than it said is reset, not ended', async () => {
  const codes: number[] = []
  await using lab = await backendLab({
    stream: (stream) => void stream.on('close', () => codes.push(stream.rstCode)),
  })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  attempt.leg!.sendHead(requestHead('POST'), 9, '')
  attempt.leg!.sendBody(Buffer.from('four'))
  attempt.leg!.finish(undefined)
  await attempt.done()
  expect(attempt.failedBy).toMatchObject({ code: 'bad-request' })
  await until(() => codes.length === 1)
  expect(codes[0]).not.toBe(0)
})

test('back-pressure: a member that does not read holds the request, a client that does not read holds the response', async () => {
  const size = 3_000_000
  const piece = Buffer.alloc(30_000, 7)
  let stream: ServerHttp2Stream | undefined
  await using lab = await backendLab({ stream: (opened) => void (stream = opened) })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  const leg = attempt.leg!
  let sent = 0
  const more = (): void => {
    while (sent < size) {
      sent += piece.length
      if (!leg.sendBody(piece)) return
    }
    leg.finish(undefined)
  }
  attempt.onDrained = more
  leg.sendHead(requestHead('POST'), size, '')
  more()
  await until(() => stream !== undefined)
  expect(sent).toBeLessThan(1_000_000)
  let received = 0
  for await (const bytes of stream!) received += (bytes as Buffer).length
  expect(received).toBe(size)
  expect(attempt.drained).toBeGreaterThan(0)
  let answered = 0
  const write = (): void => {
    while (answered < size) {
      answered += piece.length
      if (!stream!.write(piece)) return void stream!.once('drain', write)
    }
    stream!.end()
  }
  attempt.onHead = (of: BackendLeg) => of.pauseBody()
  stream!.respond({ ':status': 200 })
  write()
  await attempt.until(() => attempt.status === 200)
  await new Promise(setImmediate)
  expect([attempt.received, answered < size]).toEqual([0, true])
  leg.resumeBody()
  await attempt.until(() => attempt.received > 0)
  await attempt.done()
  expect(attempt.received).toBe(size)
})

test('an upgrade goes by extended CONNECT where the member takes it', async () => {
  let raw: readonly string[] = []
  await using lab = await backendLab({
    server: { settings: { enableConnectProtocol: true } },
    stream(stream) {
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
      stream.pipe(stream)
    },
  })
  lab.server.on('stream', (_stream, _headers, _flags, rawHeaders: string[]) => {
    raw = rawHeaders
  })
  const attempt = lab.seek({ upgrade: true })
  await attempt.until(() => attempt.leg !== undefined)
  const leg = attempt.leg!
  leg.sendHead(
    requestHead('GET', '/chat', [
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ['Sec-WebSocket-Version', '13'],
    ]),
    0,
    'websocket',
  )
  await attempt.until(() => attempt.status !== 0)
  expect(attempt.status).toBe(101)
  expect(attempt.header('upgrade')).toBe('websocket')
  // The example of RFC 6455 section 1.3.
  expect(attempt.header('sec-websocket-accept')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  expect(raw.slice(0, 4)).toEqual([':method', 'CONNECT', ':protocol', 'websocket'])
  expect(raw).not.toContain('sec-websocket-key')
  leg.switchProtocols()
  leg.resumeBody()
  leg.sendBody(Buffer.from('ping'))
  await attempt.until(() => attempt.received === 4)
  leg.finish(undefined)
  await attempt.done()
  expect([attempt.body.toString(), attempt.ended, attempt.failedBy]).toEqual([
    'ping',
    true,
    undefined,
  ])
})

test('an upgrade is refused where the member takes no extended CONNECT', async () => {
  await using lab = await backendLab()
  const { unconnectedBy } = await lab.seek({ upgrade: true }).done()
  expect(unconnectedBy).toMatchObject({ code: 'upgrade-refused', replayable: true })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  attempt.leg!.sendHead(requestHead(), 0, 'websocket')
  await attempt.done()
  expect(attempt.failedBy).toMatchObject({ code: 'upgrade-refused' })
})

test('idle sessions end after the idle time, old ones after their lifetime, full ones after their requests', async () => {
  const clock = manualClock()
  await using lab = await backendLab({
    clock,
    upstream: { idleTimeout: '10s', maxLifetime: '25s', maxRequests: 3 },
  })
  const get = async (): Promise<void> => {
    await lab.get()
    await until(() => lab.pool.idle(lab.backend.id) === lab.pool.open)
  }
  await get()
  clock.advance(9000)
  await get()
  clock.advance(9000)
  expect(lab.pool.open).toBe(1)
  clock.advance(2000)
  await until(() => lab.pool.open === 0)
  await get()
  for (let i = 0; i < 2; i++) {
    clock.advance(9000)
    if (i === 0) await get()
  }
  expect(lab.pool.open).toBe(1)
  clock.advance(9000)
  await until(() => lab.pool.open === 0)
  for (let i = 0; i < 4; i++) await get()
  await until(() => lab.pool.open === 1)
  expect(lab.pool.stats!().closed).toMatchObject({
    'idle-timeout': 2,
    'max-requests': 1,
  })
})

test('an old session takes no more requests and ends after those it has', async () => {
  const clock = manualClock()
  const open: ServerHttp2Stream[] = []
  await using lab = await backendLab({
    clock,
    upstream: { maxLifetime: '25s' },
    stream: (stream) => void open.push(stream),
  })
  const old = lab.seek()
  await old.until(() => old.leg !== undefined)
  send(old)
  await until(() => open.length === 1)
  clock.advance(26_000)
  const next = lab.seek()
  await next.until(() => next.leg !== undefined)
  expect(lab.sessions.length).toBe(2)
  open[0]!.respond({ ':status': 200 })
  open[0]!.end('old')
  expect((await old.done()).body.toString()).toBe('old')
  await until(() => lab.pool.open === 1)
  expect(lab.pool.stats!().closed.lifetime).toBe(1)
  next.leg!.abort()
})

test('a session that is silent after an abort is asked by PING, and given up when it does not answer', async () => {
  const clock = manualClock()
  const sockets: Socket[] = []
  const relay = createServer((socket) => void sockets.push(socket))
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  await using lab = await backendLab({
    clock,
    upstream: { maxSessions: 1 },
    port: (relay.address() as { port: number }).port,
  })
  const attempt = lab.seek({ connectTimeoutMs: 0 })
  await until(() => sockets.length === 1)
  // SETTINGS, and then nothing ever.
  sockets[0]!.write(Buffer.from('000000040000000000', 'hex'))
  await attempt.until(() => attempt.leg !== undefined)
  send(attempt)
  const other = lab.seek({ connectTimeoutMs: 0 })
  expect(other.leg).toBeDefined()
  send(other)
  attempt.leg!.abort()
  const third = lab.seek({ connectTimeoutMs: 0 })
  expect(third.leg).toBeUndefined()
  clock.advance(5500)
  await other.done()
  expect(other.failedBy).toMatchObject({ code: 'backend-closed' })
  await until(() => sockets.length === 2)
  clock.advance(5000)
  for (const socket of sockets) socket.destroy()
  await third.done()
  relay.close()
})

test('forget and close: what is idle ends, what is at work after it, nobody new', async () => {
  const open: ServerHttp2Stream[] = []
  await using lab = await backendLab({ stream: (stream) => void open.push(stream) })
  const attempt = lab.seek()
  await attempt.until(() => attempt.leg !== undefined)
  send(attempt)
  await until(() => open.length === 1)
  expect(lab.pool.serves(lab.backend)).toBe(true)
  lab.pool.forget(lab.backend.id)
  expect(lab.pool.serves(lab.backend)).toBe(false)
  open[0]!.respond({ ':status': 200 })
  open[0]!.end('done')
  expect((await attempt.done()).body.toString()).toBe('done')
  await until(() => lab.pool.open === 0)
  lab.pool.close()
  expect(lab.seek().unconnectedBy).toMatchObject({ code: 'shutdown' })
})

test('a TLS socket that agreed on h2 is adopted', async () => {
  await using lab = await backendLab({ secure: true })
  const { port } = lab.server.address() as { port: number }
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ca: vector('ca.pem'),
    servername: 'a.example',
    ALPNProtocols: ['h2', 'http/1.1'],
  })
  await once(socket, 'secureConnect')
  expect(socket.alpnProtocol).toBe('h2')
  lab.pool.adopt(lab.backend, socket)
  expect(lab.pool.serves(lab.backend)).toBe(true)
  expect((await lab.get()).body.toString()).toBe('ok')
  expect(lab.sessions.length).toBe(1)
})

test('without reuse each request has its own session, as long as there may be more', async () => {
  await using lab = await backendLab({ upstream: { reuse: 'never' } })
  await lab.get('/', { mayReuse: false })
  await lab.get('/', { mayReuse: false })
  await lab.get('/', { mayReuse: false })
  expect(lab.sessions.length).toBe(3)
})

test('a first request prefers a fresh session, and shares when there may be no more', async () => {
  await using lab = await backendLab({ upstream: { maxSessions: 2 } })
  await lab.get('/', { mayReuse: false })
  await lab.get('/', { mayReuse: false })
  const third = await lab.get('/', { mayReuse: false })
  expect([lab.sessions.length, third.status]).toEqual([2, 200])
})

test('wrong options are refused', async () => {
  const { h2Sessions } = await import('../../../src/backend/h2/h2-sessions.ts')
  expect(() => h2Sessions({ protocol: 'h2', sendProxy: 'v2' }, undefined as never)).toThrow(
    expect.objectContaining({ code: 'invalid-option', path: 'upstream.sendProxy' }),
  )
})
