import { once } from 'node:events'
import { connect } from 'node:http2'
import { timerWheel } from '@steelyard/core'
import { manualClock } from '@steelyard/testing'
import { expect, test } from 'vitest'
import { unknownLength } from '../../../src/wire/request-head.ts'
import { answer, type H2Lab, h2Lab, responseHead } from './h2-lab.ts'
import * as raw from './raw-h2.ts'

/** Asks as any client would, on its own connection. */
async function served(lab: H2Lab): Promise<string> {
  const session = connect(`http://127.0.0.1:${lab.port}`)
  session.on('error', () => {})
  const stream = session.request({ ':path': '/normal' })
  stream.setEncoding('utf8')
  let text = ''
  for await (const piece of stream) text += piece as string
  session.close()
  await once(session, 'close')
  return text
}

/** Memory in use, garbage aside as far as that can be had. */
function memory(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Sends until the server closes; false when it took all of it. Waits for what the server makes of each piece. */
async function attack(
  client: raw.RawClient,
  pieces: number,
  piece: (i: number) => Buffer,
  every = 16,
  pause: () => void = () => {},
): Promise<boolean> {
  for (let i = 0; i < pieces; i++) {
    if (client.closed) return true
    client.send(piece(i))
    if (i % every !== every - 1) continue
    await new Promise(setImmediate)
    pause()
  }
  if (client.closed) return true
  // Whoever is not closed is still heard.
  return !(await client.settle())
}

const idOf = (i: number): number => i * 2 + 1
const open = (id: number, path = '/x'): Buffer => raw.headers(id, raw.request(path))

/** A head of many references to one field: a byte each on the wire (RFC 7541 section 6.1). */
function bomb(id: number, references: number): Buffer {
  const head = raw.block(raw.request('/bomb'))
  // accept-encoding: gzip, deflate, entry 16 of the static table.
  return raw.headers(id, Buffer.concat([head, Buffer.alloc(references, 0x90)]))
}

interface Attack {
  readonly name: string
  readonly pieces: number
  readonly piece: (i: number) => Buffer
  /** So few bytes cost us little, and are not cut off. */
  readonly harmless?: true
}

const attacks: readonly Attack[] = [
  {
    name: 'rapid reset',
    pieces: 4000,
    piece: (i) => Buffer.concat([open(idOf(i)), raw.rst(idOf(i))]),
  },
  {
    name: 'resets that we are made to send, by updates of 0',
    pieces: 2000,
    piece: (i) => Buffer.concat([open(idOf(i), '/hang'), raw.windowUpdate(idOf(i), 0)]),
  },
  {
    name: 'resets that we are made to send, by windows that overflow',
    pieces: 2000,
    piece: (i) => Buffer.concat([open(idOf(i), '/hang'), raw.windowUpdate(idOf(i), 0x7fffffff)]),
  },
  {
    name: 'CONTINUATION without end',
    pieces: 5000,
    piece: (i) =>
      i === 0
        ? raw.headers(1, raw.request(), 0)
        : raw.frame(raw.Type.continuation, 0, 1, raw.block([['x', 'y'.repeat(100)]])),
  },
  {
    name: 'CONTINUATION without end and without content',
    pieces: 5000,
    piece: (i) =>
      i === 0 ? raw.headers(1, raw.request(), 0) : raw.frame(raw.Type.continuation, 0, 1),
  },
  {
    name: 'empty DATA',
    pieces: 5000,
    piece: (i) =>
      i === 0
        ? raw.headers(1, raw.request('/hang', 'POST'), raw.Flag.endHeaders)
        : raw.data(1, '', 0),
  },
  { name: 'PING', pieces: 20_000, piece: (i) => raw.frame(raw.Type.ping, 0, 0, raw.uint32(1, i)) },
  { name: 'SETTINGS', pieces: 5000, piece: (i) => raw.settings([[4, 65_535 + (i % 7)]]) },
  { name: 'empty SETTINGS', pieces: 5000, piece: () => raw.settings() },
  {
    name: 'PRIORITY',
    pieces: 20_000,
    piece: (i) => raw.frame(raw.Type.priority, 0, idOf(i % 1000), raw.uint32(0).fill(1, 3, 4)),
  },
  {
    name: 'heads of thousands of one-byte references',
    pieces: 2000,
    piece: (i) => bomb(idOf(i), 8000),
  },
  {
    name: 'heads of a few references too many',
    pieces: 5000,
    piece: (i) => bomb(idOf(i), 130),
    harmless: true,
  },
  {
    name: 'heads of a few references too many between good ones',
    pieces: 5000,
    piece: (i) => (i % 50 === 0 ? open(idOf(i)) : bomb(idOf(i), 130)),
  },
  {
    name: 'heads of crumbs',
    pieces: 3000,
    piece: (i) =>
      raw.headers(
        idOf(i),
        Buffer.concat([
          raw.block(raw.request()),
          // cookie, entry 32 of the static table, with an empty value, not indexed.
          Buffer.from('0f1100'.repeat(101), 'hex'),
        ]),
      ),
  },
  {
    name: 'more streams than allowed',
    pieces: 5000,
    piece: (i) => open(idOf(i), '/hang'),
  },
  {
    name: 'malformed heads',
    pieces: 3000,
    piece: (i) => raw.headers(idOf(i), [...raw.request(), ['Upper', '1']]),
  },
  {
    name: 'heads that the gate refuses',
    pieces: 3000,
    piece: (i) => open(idOf(i), '/%00'),
  },
  {
    name: 'frames of unknown types',
    pieces: 3000,
    piece: () => raw.frame(0x77, 0, 0, Buffer.alloc(16_000)),
  },
]

test.each(attacks)('$name: cut off, in bounded memory, and others are served', async (attacker) => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({
    clock,
    wheel,
    handle({ leg, path }) {
      if (path === '/hang') return leg.resumeBody()
      answer(leg, path === '/normal' ? 'served' : 'x')
    },
  })
  const before = memory()
  const client = await raw.rawClient(lab.port)
  // A thousand batches in ten seconds.
  const running = attack(client, attacker.pieces, attacker.piece, 16, () => clock.advance(10))
  expect(await served(lab)).toBe('served')
  expect(await running).toBe(attacker.harmless !== true)
  client.destroy()
  expect(memory() - before).toBeLessThan(96 * 1024 * 1024)
  expect(await served(lab)).toBe('served')
  while (lab.server.streams > 0) await new Promise(setImmediate)
})

test('a client that is odd is retired by GOAWAY first, and ended by ENHANCE_YOUR_CALM when it goes on', async () => {
  await using lab = await h2Lab({ handle() {} })
  const client = await raw.rawClient(lab.port)
  const goaways = (): number[] =>
    client.frames
      .filter(({ type }) => type === raw.Type.goaway)
      .map(({ payload }) => payload.readUInt32BE(4))
  // One that stays, so that the connection is not over when it is retired.
  client.send(open(1))
  for (let i = 1; i < 1000 && goaways().length === 0; i += 50) {
    for (let j = i; j < i + 50; j++) client.send(open(idOf(j)), raw.rst(idOf(j)))
    await client.settle()
  }
  expect(goaways()).toEqual([0])
  const begun = lab.requests.length
  expect(begun).toBeLessThan(400)
  expect(lab.requests[0]!.closed).toBeUndefined()
  for (let i = 0; i < 1000 && !client.closed; i += 50) {
    for (let j = i; j < i + 50; j++) {
      client.send(open(idOf(1000 + j)), raw.frame(raw.Type.ping, 0, 0, raw.uint32(1, j)))
    }
    await client.settle()
  }
  expect(goaways()).toEqual([0, 11])
  expect(lab.requests.length).toBe(begun)
  await lab.requests[0]!.until(() => lab.requests[0]!.closed !== undefined)
  expect(lab.logged.map(({ message }) => message)).toEqual([
    'http/2 connection retired: its client is odd',
    'http/2 connection ended: its client abuses it',
  ])
})

test('a page that is left resets a hundred streams, and is forgiven', async () => {
  await using lab = await h2Lab({
    handle({ leg, path }) {
      if (path !== '/x') answer(leg, 'served')
    },
  })
  const client = await raw.rawClient(lab.port)
  for (let page = 0; page < 3; page++) {
    const ids = Array.from({ length: 100 }, (_, i) => idOf(page * 101 + i))
    client.send(...ids.map((id) => open(id)))
    await client.settle()
    client.send(...ids.map((id) => raw.rst(id)))
    await client.settle()
    const next = idOf(page * 101 + 100)
    client.send(open(next, '/next'))
    expect(await client.status(next)).toBe(200)
  }
  expect(client.frames.filter(({ type }) => type === raw.Type.goaway)).toEqual([])
  client.destroy()
})

test('windows of nothing: what is held is bounded, and let go in time', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  let held = 0
  await using lab = await h2Lab({
    clock,
    wheel,
    handle(request) {
      const { leg, path } = request
      if (path === '/normal') return answer(leg, 'served')
      leg.sendHead(responseHead(200), unknownLength, false, false)
      const piece = Buffer.alloc(32_768)
      // As an exchange does: until the leg says that it has enough.
      for (let more = true; more; held += piece.length) more = leg.sendBody(piece)
    },
  })
  const client = await raw.rawClient(lab.port, { settings: raw.settings([[4, 0]]) })
  client.send(...Array.from({ length: 128 }, (_, i) => open(idOf(i), '/big')))
  await lab.request(128)
  await client.settle()
  expect(held).toBeLessThanOrEqual(128 * 98_304)
  expect(await served(lab)).toBe('served')
  clock.advance(45_000)
  await client.untilClosed()
  expect(lab.requests.filter(({ closed }) => closed !== undefined).length).toBe(128)
  while (lab.server.streams > 0) await new Promise(setImmediate)
})

test('windows of one byte at a time do not keep a stream for ever', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({
    clock,
    wheel,
    handle({ leg }) {
      leg.sendHead(responseHead(200), unknownLength, false, false)
      leg.sendBody(Buffer.alloc(65_536))
    },
  })
  const client = await raw.rawClient(lab.port, { settings: raw.settings([[4, 0]]) })
  client.send(open(1))
  const heard = await lab.request(1)
  for (let second = 0; second < 60 && heard.closed === undefined; second++) {
    client.send(raw.windowUpdate(1, 1))
    await client.settle()
    clock.advance(1000)
  }
  expect(heard.closed).toMatchObject({ code: 'client-aborted' })
  client.destroy()
})

test('a client that does not read: what is queued for it is bounded', async () => {
  await using lab = await h2Lab({
    handle: ({ leg, path }) => answer(leg, path === '/normal' ? 'served' : 'x'),
  })
  const before = memory()
  const client = await raw.rawClient(lab.port)
  client.socket.pause()
  for (let i = 0; i < 20_000 && !client.socket.destroyed; i++) {
    if (!client.socket.write(raw.frame(raw.Type.ping, 0, 0, raw.uint32(1, i)))) {
      await new Promise(setImmediate)
    }
  }
  expect(await served(lab)).toBe('served')
  expect(memory() - before).toBeLessThan(64 * 1024 * 1024)
  while (lab.server.sessions > 0) {
    if (client.socket.isPaused()) client.socket.resume()
    await new Promise(setImmediate)
  }
})

test('a connection that was ended goes even when its client never reads nor closes', async () => {
  const clock = manualClock()
  const wheel = timerWheel({ clock })
  await using lab = await h2Lab({ clock, wheel, handle: ({ leg }) => leg.resumeBody() })
  const client = await raw.rawClient(lab.port)
  client.socket.pause()
  // So that the connection's end waits behind bytes that nobody reads.
  client.send(
    ...Array.from({ length: 1200 }, (_, i) => raw.frame(raw.Type.ping, 0, 0, raw.uint32(1, i))),
  )
  while (lab.logged.length === 0) await new Promise(setImmediate)
  for (let i = 0; i < 10; i++) {
    await new Promise(setImmediate)
    clock.advance(1000)
  }
  while (lab.server.sessions > 0) await new Promise(setImmediate)
  expect(lab.sockets.size).toBe(0)
  client.destroy()
})
