import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import { timerWheel } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { afterEach, expect, test } from 'vitest'
import { ExchangeError } from '../../../src/exchange/exchange-error.ts'
import { unknownLength } from '../../../src/wire/request-head.ts'
import { answer, type H2LabOptions, h2Lab, responseHead } from './h2-lab.ts'
import * as raw from './raw-h2.ts'

const sessions = new Set<ClientHttp2Session>()

afterEach(() => {
  for (const session of sessions) session.destroy()
  sessions.clear()
})

function open(port: number, options = {}): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`, options)
  session.on('error', () => {})
  sessions.add(session)
  return session
}

interface Answer {
  readonly head: IncomingHttpHeaders & { ':status'?: number }
  readonly raw: readonly string[]
  readonly body: Buffer
  readonly trailers: IncomingHttpHeaders | undefined
}

async function read(stream: ClientHttp2Stream): Promise<Answer> {
  let trailers: IncomingHttpHeaders | undefined
  stream.on('trailers', (fields: IncomingHttpHeaders) => {
    trailers = fields
  })
  const [head, , rawHead] = (await once(stream, 'response')) as [
    Answer['head'],
    number,
    readonly string[],
  ]
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece as Buffer)
  return { head, raw: rawHead, body: Buffer.concat(pieces), trailers }
}

function get(session: ClientHttp2Session, fields: Record<string, string | string[]> = {}) {
  return read(session.request({ ':path': '/', ...fields }, { endStream: true }))
}

/** Resolves with the code that a stream was closed with. */
async function closeCode(stream: ClientHttp2Stream): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.on('error', () => {})
  stream.on('close', () => resolve())
  stream.resume()
  await promise
  return stream.rstCode
}

const quick: H2LabOptions = { handle: ({ leg }) => answer(leg) }

test('a GET and a POST are answered', async () => {
  await using lab = await h2Lab()
  const session = open(lab.port)
  const got = await get(session, { ':path': '/x?y=1', 'x-a': '1' })
  expect(got.head[':status']).toBe(200)
  expect(got.head['content-length']).toBe('2')
  expect(got.body.toString()).toBe('ok')
  const upload = session.request({ ':path': '/p', ':method': 'POST' })
  upload.end('hello')
  expect((await read(upload)).body.toString()).toBe('ok')
  expect(lab.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /x?y=1',
    'POST /p',
  ])
  expect(lab.requests[0]!.leg.first).toBe(true)
  expect(lab.requests[1]!.leg.first).toBe(false)
  expect(lab.requests[1]!.body.toString()).toBe('hello')
})

test('the head is one that HTTP/1.1 could have carried: Host first, crumbs joined, order and repeats kept', async () => {
  await using lab = await h2Lab(quick)
  const client = await raw.rawClient(lab.port)
  client.send(
    raw.headers(1, [
      ...raw.request('/a%41?q', 'GET', [
        ['x-b', '1'],
        ['cookie', 'a=1'],
        ['x-a', 'caf\xe9'],
        ['cookie', 'b=2'],
        ['x-b', '2'],
        ['host', 'A.example'],
        ['x-empty', ''],
      ]),
    ]),
  )
  expect(await client.status(1)).toBe(200)
  const heard = lab.requests[0]!
  expect(heard.lines).toEqual([
    ['host', 'a.example'],
    ['x-b', '1'],
    ['cookie', 'a=1; b=2'],
    ['x-a', 'caf\xe9'],
    ['x-b', '2'],
    ['x-empty', ''],
  ])
  expect(heard.path).toBe('/aA?q')
  client.destroy()
})

test.each([
  ['NUL in a value', 'x-a', '1\x002'],
  ['CR LF in a value', 'x-a', '1\r\nx-evil: 2'],
  ['LF in a value', 'x-a', '1\nx-evil: 2'],
  ['CR LF in a name', 'x-a\r\nx-evil', '1'],
  ['a colon in a name', 'x-a: 1', '1'],
  ['a space in a name', 'x-a ', '1'],
  ['an empty name', '', '1'],
  ['a blank before a value', 'x-a', ' 1'],
  ['a blank behind a value', 'x-a', '1\t'],
])('%s reaches nobody', async (_, name, value) => {
  await using lab = await h2Lab(quick)
  const client = await raw.rawClient(lab.port)
  client.send(
    raw.headers(
      1,
      raw.request('/', 'GET', [
        [name, value],
        ['x-good', '1'],
      ]),
    ),
  )
  await client.settle()
  for (const heard of lab.requests) {
    expect(heard.lines).toEqual([
      ['host', 'a.example'],
      ['x-good', '1'],
    ])
  }
  client.destroy()
})

test('response lines keep their repeats and order, lose the connection fields, and have one Date', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      const head = responseHead(200, [
        ['Set-Cookie', 'a=1'],
        ['Date', 'Sat, 21 Nov 2026 00:00:00 GMT'],
        ['Connection', 'close, x-hop'],
        ['Set-Cookie', 'b=2'],
        ['Keep-Alive', 'timeout=5'],
        ['Transfer-Encoding', 'chunked'],
        ['Content-Length', '99'],
        ['X-High', 'caf\xe9'],
        ['Content-Type', 'a/b'],
        ['Content-Type', 'c/d'],
      ])
      leg.sendHead(head, 2, false, false)
      leg.sendBody(Buffer.from('ok'))
      leg.finish(undefined)
    },
  })
  const { raw: lines, body } = await get(open(lab.port))
  expect(lines).toEqual([
    ...[':status', '200', 'set-cookie', 'a=1', 'date', 'Sat, 21 Nov 2026 00:00:00 GMT'],
    ...['set-cookie', 'b=2', 'x-high', 'caf\xe9', 'content-type', 'a/b', 'content-type', 'c/d'],
    ...['content-length', '2'],
  ])
  expect(body.toString()).toBe('ok')
})

test('a response without Date gets one', async () => {
  await using lab = await h2Lab(quick)
  expect((await get(open(lab.port))).head.date).toMatch(/GMT$/)
})

test.each([
  ['HEAD', 200, 5, '5'],
  ['HEAD', 200, unknownLength, undefined],
  ['GET', 204, 0, undefined],
  ['GET', 304, 7, '7'],
] as const)('%s with %i and length %i has no body', async (method, status, length, said) => {
  await using lab = await h2Lab({
    handle({ leg }) {
      leg.sendHead(responseHead(status), length, true, false)
      leg.sendBody(Buffer.from('never'))
      leg.finish(undefined)
    },
  })
  const { head, body, trailers } = await get(open(lab.port), { ':method': method })
  expect([head[':status'], head['content-length'], body.length, trailers]).toEqual([
    status,
    said,
    0,
    undefined,
  ])
})

test('an empty response is one frame', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      leg.sendHead(responseHead(200), unknownLength, false, false)
      leg.finish(undefined)
    },
  })
  const client = await raw.rawClient(lab.port)
  client.send(raw.headers(1, raw.request()))
  expect(await client.status(1)).toBe(200)
  await client.settle()
  const frames = client.frames.filter(({ stream }) => stream === 1)
  expect(frames.map(({ type, flags }) => [type, flags & raw.Flag.endStream])).toEqual([
    [raw.Type.headers, raw.Flag.endStream],
  ])
  client.destroy()
})

test('trailers pass both ways; names that may not trail do not', async () => {
  const sent = responseHead(200, [
    ['grpc-status', '0'],
    ['x-sum', 'a'],
    ['x-sum', 'b'],
  ])
  await using lab = await h2Lab({
    handle(request) {
      const { leg } = request
      leg.resumeBody()
      void request
        .until(() => request.ended)
        .then(() => {
          leg.sendHead(responseHead(200), unknownLength, false, false)
          leg.sendBody(Buffer.from('body'))
          leg.finish(sent)
        })
    },
  })
  const stream = open(lab.port).request(
    { ':path': '/', ':method': 'POST' },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-check': '1', authorization: 'x' }))
  stream.end('up')
  const { body, trailers } = await read(stream)
  expect(body.toString()).toBe('body')
  expect(trailers).toMatchObject({ 'grpc-status': '0', 'x-sum': 'a, b' })
  const heard = lab.requests[0]!
  expect(heard.body.toString()).toBe('up')
  expect([...heard.trailers!]).toEqual([['x-check', '1']])
})

test('trailers without a body, and no trailers at all', async () => {
  await using lab = await h2Lab({
    handle({ leg, path }) {
      leg.sendHead(responseHead(200), unknownLength, false, false)
      if (path === '/trailers') return leg.finish(responseHead(200, [['x-t', '1']]))
      leg.sendBody(Buffer.from('x'))
      leg.finish(undefined)
    },
  })
  const session = open(lab.port)
  expect((await get(session, { ':path': '/trailers' })).trailers).toMatchObject({ 'x-t': '1' })
  expect((await get(session)).trailers).toBeUndefined()
})

test('informational heads come before the final one', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      leg.sendInformational(
        responseHead(103, [
          ['link', '</a>'],
          ['link', '</b>'],
        ]),
      )
      answer(leg)
      leg.sendInformational(responseHead(103))
    },
  })
  const stream = open(lab.port).request({ ':path': '/' })
  const early: unknown[] = []
  stream.on('headers', (fields: IncomingHttpHeaders) => early.push(fields))
  expect((await read(stream)).body.toString()).toBe('ok')
  expect(early).toMatchObject([{ ':status': 103, link: '</a>, </b>' }])
})

test('100 Continue is sent when the exchange says so', async () => {
  await using lab = await h2Lab({
    handle(request) {
      request.leg.sendContinue()
      request.leg.resumeBody()
      void request.until(() => request.ended).then(() => answer(request.leg, 'after'))
    },
  })
  const stream = open(lab.port).request({ ':method': 'POST', ':path': '/', expect: '100-continue' })
  await once(stream, 'continue')
  stream.end('late')
  expect((await read(stream)).body.toString()).toBe('after')
  expect(lab.requests[0]!.body.toString()).toBe('late')
})

test('the body comes only when it is asked for', async () => {
  await using lab = await h2Lab({ handle() {} })
  const stream = open(lab.port).request({ ':method': 'POST', ':path': '/' })
  stream.end('x'.repeat(200_000))
  const heard = await lab.request(1)
  expect(heard.received).toBe(0)
  heard.leg.resumeBody()
  await heard.until(() => heard.received > 0)
  heard.leg.pauseBody()
  const before = heard.received
  expect(before).toBeLessThan(200_000)
  heard.leg.resumeBody()
  await heard.until(() => heard.ended)
  expect(heard.received).toBe(200_000)
  const reply = read(stream)
  answer(heard.leg)
  expect((await reply).body.toString()).toBe('ok')
})

test('a response waits for a slow reader', async () => {
  const piece = Buffer.alloc(50_000, 1)
  let sent = 0
  await using lab = await h2Lab({
    handle(request) {
      const { leg } = request
      const total = 4_000_000
      leg.sendHead(responseHead(200), total, false, false)
      const more = (): void => {
        while (sent < total) {
          sent += piece.length
          if (!leg.sendBody(piece)) return
        }
        leg.finish(undefined)
      }
      request.onDrained = more
      more()
    },
  })
  const stream = open(lab.port).request({ ':path': '/' })
  await once(stream, 'response')
  // Not read: what is under way is bounded by both windows and what the leg holds.
  await lab.request(1)
  expect(sent).toBeLessThan(1_000_000)
  let received = 0
  for await (const bytes of stream) received += (bytes as Buffer).length
  expect(received).toBe(4_000_000)
  expect(lab.requests[0]!.drained).toBeGreaterThan(0)
})

test('an early answer resets the request that nobody reads, after the answer', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      leg.discardBody()
      answer(leg, 'no', 413)
    },
  })
  const client = await raw.rawClient(lab.port)
  client.send(
    raw.headers(1, raw.request('/', 'POST'), raw.Flag.endHeaders),
    raw.data(1, 'x'.repeat(1000), 0),
  )
  const reset = await client.until(
    ({ type, stream }) => type === raw.Type.rstStream && stream === 1,
  )
  expect(reset!.payload.readUInt32BE(0)).toBe(constants.NGHTTP2_NO_ERROR)
  const kinds = client.frames.filter(({ stream }) => stream === 1).map(({ type }) => type)
  expect(kinds).toEqual([raw.Type.headers, raw.Type.data, raw.Type.rstStream])
  await client.settle()
  expect(lab.server.streams).toBe(0)
  client.destroy()
})

test('an early answer with an unread body that was whole leaves no stream behind', async () => {
  await using lab = await h2Lab({
    handle(request) {
      const { leg } = request
      leg.resumeBody()
      void request
        .until(() => request.received > 0)
        .then(() => {
          leg.discardBody()
          leg.sendHead(responseHead(413), unknownLength, false, false)
          leg.sendBody(Buffer.from('no'))
          leg.finish(responseHead(200, [['x-t', '1']]))
        })
    },
  })
  const stream = open(lab.port).request({ ':method': 'POST', ':path': '/' })
  stream.end('x'.repeat(60_000))
  const { head, trailers } = await read(stream)
  expect(head[':status']).toBe(413)
  expect(trailers).toMatchObject({ 'x-t': '1' })
  while (lab.server.streams > 0) await new Promise(setImmediate)
  expect(lab.requests[0]!.closed).toBeUndefined()
})

test('END_STREAM that waits for a window is not overtaken by a reset', async () => {
  await using lab = await h2Lab({
    handle({ leg, bodyLength }) {
      if (bodyLength !== 0) leg.discardBody()
      leg.sendHead(responseHead(200), 10, false, false)
      leg.sendBody(Buffer.from('0123456789'))
      leg.finish(undefined)
    },
  })
  // A window that the body fills: END_STREAM has no room left, though it needs none.
  const client = await raw.rawClient(lab.port, { settings: raw.settings([[4, 10]]) })
  client.send(
    raw.headers(1, raw.request()),
    raw.headers(3, raw.request('/', 'POST'), raw.Flag.endHeaders),
  )
  for (const stream of [1, 3]) {
    await client.until((next) => next.type === raw.Type.data && next.stream === stream)
  }
  await client.settle()
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  await client.settle()
  const resets = client.frames.filter(({ type }) => type === raw.Type.rstStream)
  const ended = (stream: number): boolean =>
    client.frames.some(
      (next) =>
        next.type === raw.Type.data && next.stream === stream && next.flags === raw.Flag.endStream,
    )
  for (const { stream } of resets) expect(ended(stream)).toBe(true)
  client.send(raw.windowUpdate(1, 10), raw.windowUpdate(3, 10))
  await client.until((next) => next.stream === 1 && next.flags === raw.Flag.endStream)
  await client.until((next) => next.stream === 3 && next.flags === raw.Flag.endStream)
  client.destroy()
})

test.each([
  ['CANCEL', constants.NGHTTP2_CANCEL],
  ['NO_ERROR', constants.NGHTTP2_NO_ERROR],
  ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR],
])(
  'a client that resets with %s in the middle of its body is gone, and its body never whole',
  async (_, code) => {
    await using lab = await h2Lab({ handle: ({ leg }) => leg.resumeBody() })
    const client = await raw.rawClient(lab.port)
    client.send(
      raw.headers(1, raw.request('/', 'POST'), raw.Flag.endHeaders),
      raw.data(1, 'half', 0),
    )
    const heard = await lab.request(1)
    await heard.until(() => heard.received === 4)
    client.send(raw.rst(1, code))
    await heard.until(() => heard.closed !== undefined)
    expect([heard.closed!.code, heard.closed!.source, heard.ended]).toEqual([
      'client-aborted',
      'client',
      false,
    ])
    await client.settle()
    expect(lab.server.streams).toBe(0)
    client.destroy()
  },
)

test('a reset with NO_ERROR after the answer does not make half a body whole', async () => {
  await using lab = await h2Lab({ handle: ({ leg }) => leg.resumeBody() })
  const client = await raw.rawClient(lab.port)
  client.send(
    raw.headers(1, raw.request('/', 'POST'), raw.Flag.endHeaders),
    raw.data(1, 'half', 0),
    raw.rst(1, 0),
  )
  await client.settle()
  for (const heard of lab.requests) expect(heard.ended).toBe(false)
  client.destroy()
})

test.each([
  ['while it waits', false],
  ['in the middle of its body', true],
])('a connection that closes %s tells the exchange', async (_, body) => {
  await using lab = await h2Lab({ handle: ({ leg }) => leg.resumeBody() })
  const client = await raw.rawClient(lab.port)
  client.send(
    body
      ? raw.headers(1, raw.request('/', 'POST'), raw.Flag.endHeaders)
      : raw.headers(1, raw.request()),
  )
  const heard = await lab.request(1)
  client.socket.resetAndDestroy()
  await heard.until(() => heard.closed !== undefined)
  expect(heard.closed!.code).toBe('client-aborted')
  expect(heard.ended).toBe(!body)
})

test.each([
  ['shorter than', 'ab'],
  ['missing beside', ''],
])('a body that is %s its content-length resets the stream and is never whole', async (_, body) => {
  await using lab = await h2Lab({ handle: ({ leg }) => leg.resumeBody() })
  const client = await raw.rawClient(lab.port)
  const fields = raw.request('/', 'POST', [['content-length', '4']])
  client.send(raw.headers(1, fields, raw.Flag.endHeaders), raw.data(1, body))
  const reset = await client.until(
    ({ type, stream }) => type === raw.Type.rstStream && stream === 1,
  )
  expect(reset!.payload.readUInt32BE(0)).toBe(constants.NGHTTP2_PROTOCOL_ERROR)
  await client.settle()
  for (const heard of lab.requests) {
    expect(heard.ended).toBe(false)
    expect(heard.closed).toBeDefined()
  }
  client.destroy()
})

test('a body that is longer than its content-length ends the connection and is never whole', async () => {
  await using lab = await h2Lab({ handle: ({ leg }) => leg.resumeBody() })
  const client = await raw.rawClient(lab.port)
  const fields = raw.request('/', 'POST', [['content-length', '4']])
  client.send(raw.headers(1, fields, raw.Flag.endHeaders), raw.data(1, 'abcdef'))
  // Node makes it an error of the connection.
  await client.untilClosed()
  for (const heard of lab.requests) {
    expect(heard.ended).toBe(false)
    expect(heard.closed).toBeDefined()
  }
})

test('aborting: CANCEL for a drop, REFUSED_STREAM for what nobody has done, INTERNAL_ERROR for the rest', async () => {
  const failure = (replayable: boolean): ExchangeError =>
    new ExchangeError('x', { code: 'shutdown', source: 'system', phase: 'request', replayable })
  await using lab = await h2Lab({
    handle({ leg, path }) {
      if (path === '/drop') leg.abort(undefined)
      else if (path === '/undone') leg.abort(failure(true))
      else {
        leg.sendHead(responseHead(200), unknownLength, false, false)
        leg.flush()
        leg.abort(failure(true))
      }
    },
  })
  const session = open(lab.port)
  const codes = []
  for (const path of ['/drop', '/undone', '/begun']) {
    codes.push(await closeCode(session.request({ ':path': path })))
  }
  expect(codes).toEqual([
    constants.NGHTTP2_CANCEL,
    constants.NGHTTP2_REFUSED_STREAM,
    constants.NGHTTP2_INTERNAL_ERROR,
  ])
})

test('an abort in the middle of a body shows no END_STREAM', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      leg.sendHead(responseHead(200), unknownLength, false, false)
      leg.sendBody(Buffer.from('half'))
      leg.abort(
        new ExchangeError('x', {
          code: 'backend-reset',
          source: 'backend',
          phase: 'response-body',
        }),
      )
    },
  })
  const client = await raw.rawClient(lab.port)
  client.send(raw.headers(1, raw.request()))
  const reset = await client.until(({ type }) => type === raw.Type.rstStream)
  expect(reset!.payload.readUInt32BE(0)).toBe(constants.NGHTTP2_INTERNAL_ERROR)
  await client.settle()
  const ends = client.frames.filter(
    ({ type, flags }) => type < raw.Type.priority && (flags & raw.Flag.endStream) !== 0,
  )
  expect(ends).toEqual([])
  client.destroy()
})

test('a response that is shorter or longer than it said is cut, not ended', async () => {
  await using lab = await h2Lab({
    handle({ leg, path }) {
      leg.sendHead(responseHead(200), 4, false, false)
      leg.sendBody(Buffer.from(path === '/short' ? 'abc' : 'abcde'))
      leg.finish(undefined)
    },
  })
  const session = open(lab.port)
  for (const path of ['/short', '/long']) {
    expect(await closeCode(session.request({ ':path': path }))).toBe(
      constants.NGHTTP2_INTERNAL_ERROR,
    )
  }
  expect((await lab.request(2)).closed).toBeUndefined()
})

test('fields that HTTP/2 cannot carry end the stream and tell the exchange', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      const head = responseHead(200, [['x-name', '1']])
      // Heads check what is added to them.
      head.bytes[head.ranges[0]! + 1] = 0x20
      leg.sendHead(head, 0, false, false)
      leg.flush()
    },
  })
  expect(await closeCode(open(lab.port).request({ ':path': '/' }))).toBe(
    constants.NGHTTP2_INTERNAL_ERROR,
  )
  const heard = await lab.request(1)
  await heard.until(() => heard.closed !== undefined)
  expect(heard.closed!.code).toBe('bad-response')
})

test('a host that throws costs its own stream only', async () => {
  let thrown = false
  await using lab = await h2Lab({
    handle({ leg, path }) {
      if (path === '/throw') {
        thrown = true
        throw new Error('a bug')
      }
      answer(leg)
    },
  })
  const session = open(lab.port)
  expect(await closeCode(session.request({ ':path': '/throw' }))).toBe(
    constants.NGHTTP2_INTERNAL_ERROR,
  )
  expect(thrown).toBe(true)
  expect((await get(session)).body.toString()).toBe('ok')
  expect(lab.logged.map(({ message }) => message)).toEqual(['http/2 stream: a step failed'])
})

test('exchange events that throw cost their own stream only', async () => {
  await using lab = await h2Lab({
    handle(request) {
      if (request.path !== '/throw') return answer(request.leg)
      request.onBody = () => {
        throw new Error('a bug')
      }
      request.leg.resumeBody()
    },
  })
  const session = open(lab.port)
  const stream = session.request({ ':path': '/throw', ':method': 'POST' })
  stream.write('x')
  expect(await closeCode(stream)).toBe(constants.NGHTTP2_INTERNAL_ERROR)
  expect((await get(session)).body.toString()).toBe('ok')
})

test.each([
  ['400', { ':path': '/%00' }, 400],
  ['405', { ':path': '/', ':method': 'TRACE' }, 405],
  ['501', { ':path': '/', ':method': 'BREW' }, 501],
  ['414', { ':path': `/${'a'.repeat(9000)}` }, 414],
])('the gate answers %s', async (_, fields, status) => {
  await using lab = await h2Lab(quick)
  const session = open(lab.port)
  const { head, body } = await get(session, fields)
  expect(head[':status']).toBe(status)
  expect(body.toString()).toMatch(new RegExp(`^${status} .+\\n$`))
  expect(lab.requests).toEqual([])
  expect(lab.refused.map((refusal) => refusal.status)).toEqual([status])
  expect((await get(session)).head[':status']).toBe(200)
})

test('a request refused in the middle of its body leaves no stream behind', async () => {
  await using lab = await h2Lab(quick)
  const client = await raw.rawClient(lab.port)
  client.send(
    raw.headers(1, raw.request('/%00', 'POST'), raw.Flag.endHeaders),
    raw.data(1, 'x'.repeat(10_000), 0),
  )
  expect(await client.status(1)).toBe(400)
  await client.until(({ type, stream }) => type === raw.Type.rstStream && stream === 1)
  await client.settle()
  expect(lab.server.streams).toBe(0)
  client.destroy()
})

test('extended CONNECT is an upgrade to the exchange, and 200 and DATA to the client', async () => {
  await using lab = await h2Lab({
    handle(request) {
      const { leg } = request
      leg.switchProtocols(
        responseHead(101, [
          ['connection', 'Upgrade'],
          ['upgrade', 'websocket'],
          ['sec-websocket-accept', 'x'],
          ['sec-websocket-protocol', 'chat'],
        ]),
      )
      request.onBody = (bytes) => void leg.sendBody(bytes)
      leg.resumeBody()
      void request.until(() => request.ended).then(() => leg.finish(undefined))
    },
  })
  const session = open(lab.port)
  await once(session, 'remoteSettings')
  expect(session.remoteSettings.enableConnectProtocol).toBe(true)
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/chat',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  )
  const [head] = (await once(stream, 'response')) as [Answer['head']]
  expect(head[':status']).toBe(200)
  expect(head['sec-websocket-accept']).toBeUndefined()
  expect(head['sec-websocket-protocol']).toBe('chat')
  stream.write('ping')
  const [echo] = (await once(stream, 'data')) as [Buffer]
  expect(echo.toString()).toBe('ping')
  stream.end('bye')
  const [last] = (await once(stream, 'data')) as [Buffer]
  expect(last.toString()).toBe('bye')
  await once(stream, 'end')
  const heard = lab.requests[0]!
  expect(heard.method).toBe('GET')
  expect(heard.leg.request.upgrade).toBe('websocket')
  expect(heard.header('upgrade')).toBe('websocket')
  expect(heard.header('sec-websocket-key')).toMatch(/^[A-Za-z0-9+/]{22}==$/)
  expect(heard.closed).toBeUndefined()
})

test('extended CONNECT may be answered like any request', async () => {
  await using lab = await h2Lab({ handle: ({ leg }) => answer(leg, 'no', 403) })
  const session = open(lab.port)
  await once(session, 'remoteSettings')
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  )
  stream.on('error', () => {})
  const [head] = (await once(stream, 'response')) as [Answer['head']]
  expect(head[':status']).toBe(403)
  stream.resume()
  await once(stream, 'close')
  expect(lab.server.streams).toBe(0)
})

test('tunnels for other protocols and plain CONNECT are refused', async () => {
  await using lab = await h2Lab(quick)
  const session = open(lab.port)
  await once(session, 'remoteSettings')
  const other = session.request({
    ':method': 'CONNECT',
    ':protocol': 'connect-udp',
    ':path': '/',
  })
  expect((await read(other)).head[':status']).toBe(501)
  const plain = session.request({ ':method': 'CONNECT', ':authority': 'b.example:443' })
  expect((await read(plain)).head[':status']).toBe(405)
  expect(lab.requests).toEqual([])
})

test('bytes that were read before the socket was given come first', async () => {
  await using lab = await h2Lab({
    ...quick,
    async wrap(socket: Socket) {
      socket.resume()
      const [early] = (await once(socket, 'data')) as [Buffer]
      socket.pause()
      socket.unshift(early)
      return socket
    },
  })
  expect((await get(open(lab.port))).body.toString()).toBe('ok')
})

test('drain: GOAWAY, what is open finishes, the connection closes', async () => {
  await using lab = await h2Lab({ handle() {} })
  const session = open(lab.port)
  const reply = get(session)
  const heard = await lab.request(1)
  const goaway = once(session, 'goaway')
  const closed = once(session, 'close')
  lab.server.drain()
  expect((await goaway)[0]).toBe(0)
  answer(heard.leg)
  expect((await reply).body.toString()).toBe('ok')
  await closed
  while (lab.server.sessions > 0) await new Promise(setImmediate)
})

test('drain: a connection that comes later is told at once, also with bytes in its socket', async () => {
  await using lab = await h2Lab({
    ...quick,
    async wrap(socket: Socket) {
      socket.resume()
      const [early] = (await once(socket, 'data')) as [Buffer]
      socket.pause()
      socket.unshift(early)
      return socket
    },
  })
  lab.server.drain()
  const session = open(lab.port)
  const [code] = (await once(session, 'goaway')) as [number]
  expect(code).toBe(0)
  await once(session, 'close')
})

test('cut: every stream is gone, at once', async () => {
  await using lab = await h2Lab({ handle() {} })
  const session = open(lab.port)
  const stream = session.request({ ':path': '/' })
  stream.on('error', () => {})
  const heard = await lab.request(1)
  lab.server.cut()
  await heard.until(() => heard.closed !== undefined)
  expect(heard.ended).toBe(true)
  if (!session.closed) await once(session, 'close')
  while (lab.server.sessions > 0 || lab.sockets.size > 0) await new Promise(setImmediate)
})

test('close after a response retires the connection', async () => {
  await using lab = await h2Lab({
    handle({ leg }) {
      leg.sendHead(responseHead(421), 0, false, true)
      leg.finish(undefined)
    },
  })
  const session = open(lab.port)
  const closed = once(session, 'close')
  expect((await get(session)).head[':status']).toBe(421)
  await closed
})

test('streams in the life of a connection are limited', async () => {
  await using lab = await h2Lab({ ...quick, h2: { maxStreams: 3 } })
  const session = open(lab.port)
  const closed = once(session, 'close')
  for (let i = 0; i < 3; i++) expect((await get(session)).head[':status']).toBe(200)
  await closed
  expect(lab.requests.length).toBe(3)
})

test('a connection without streams ends after the idle time, one with a stream does not', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({ handle() {}, clock, wheel, h2: { idleTimeout: '10s' } })
  const idle = await raw.rawClient(lab.port)
  await idle.settle()
  const busy = open(lab.port)
  const reply = get(busy)
  const heard = await lab.request(1)
  clock.advance(9000)
  expect(lab.server.sessions).toBe(2)
  clock.advance(5000)
  const goaway = await idle.until(({ type }) => type === raw.Type.goaway)
  expect(goaway!.payload.readUInt32BE(4)).toBe(0)
  await idle.untilClosed()
  answer(heard.leg)
  expect((await reply).head[':status']).toBe(200)
})

test('a connection that never says SETTINGS is ended', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({ clock, wheel })
  const client = await raw.rawClient(lab.port, { greet: false })
  client.send(raw.preface)
  await client.until(({ type }) => type === raw.Type.settings)
  clock.advance(15_000)
  await client.untilClosed()
  expect(client.closed).toBe(true)
})

test('a client that takes nothing of its response is cut off, and the exchange hears it', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({
    clock,
    wheel,
    handle({ leg }) {
      leg.sendHead(responseHead(200), unknownLength, false, false)
      leg.sendBody(Buffer.alloc(1000))
    },
  })
  // SETTINGS_INITIAL_WINDOW_SIZE 0.
  const client = await raw.rawClient(lab.port, { settings: raw.settings([[4, 0]]) })
  client.send(raw.headers(1, raw.request()))
  const heard = await lab.request(1)
  await client.settle()
  clock.advance(29_000)
  expect(heard.closed).toBeUndefined()
  clock.advance(15_000)
  expect(heard.closed).toMatchObject({ code: 'client-aborted', source: 'client' })
  const reset = await client.until(({ type }) => type === raw.Type.rstStream)
  expect(reset!.payload.readUInt32BE(0)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  client.destroy()
})

test('a client that reads slowly, but reads, is not cut off', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({
    clock,
    wheel,
    handle(request) {
      const { leg } = request
      leg.sendHead(responseHead(200), unknownLength, false, false)
      request.onDrained = () => void leg.sendBody(Buffer.alloc(100_000))
      leg.sendBody(Buffer.alloc(100_000))
    },
  })
  const client = await raw.rawClient(lab.port)
  client.send(raw.headers(1, raw.request()))
  const heard = await lab.request(1)
  for (let i = 0; i < 5; i++) {
    await client.settle()
    clock.advance(20_000)
    const { drained } = heard
    client.send(raw.windowUpdate(0, 100_000), raw.windowUpdate(1, 100_000))
    await heard.until(() => heard.drained > drained)
    clock.advance(10_000)
  }
  expect(heard.closed).toBeUndefined()
  client.destroy()
})
