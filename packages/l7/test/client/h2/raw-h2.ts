import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Frame types (RFC 9113 section 6). */
export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

export const preface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** One frame; `length` tells a length that is not the payload's. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | string = '',
  length?: number,
): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : Buffer.from(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(length ?? body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream >>> 0, 5)
  return Buffer.concat([head, body])
}

export function settings(entries: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const body = Buffer.alloc(entries.length * 6)
  entries.forEach(([id, value], i) => {
    body.writeUInt16BE(id, i * 6)
    body.writeUInt32BE(value >>> 0, i * 6 + 2)
  })
  return frame(Type.settings, 0, 0, body)
}

export const settingsAck: Buffer = frame(Type.settings, Flag.ack, 0)

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, i) => bytes.writeUInt32BE(value >>> 0, i * 4))
  return bytes
}

export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(Type.windowUpdate, 0, stream, uint32(increment))
}

export function rst(stream: number, code = 8): Buffer {
  return frame(Type.rstStream, 0, stream, uint32(code))
}

export type Fields = readonly (readonly [name: string, value: string])[]

/** Fields as literals without indexing, names spelled out: HPACK as plain as it gets (RFC 7541 section 6.2.2). */
export function block(fields: Fields): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  )
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  const { length } = bytes
  if (length < 127) return Buffer.concat([Buffer.from([length]), bytes])
  const prefix = [127]
  let rest = length - 127
  for (; rest >= 128; rest >>= 7) prefix.push((rest & 127) | 128)
  prefix.push(rest)
  return Buffer.concat([Buffer.from(prefix), bytes])
}

export function request(path = '/', method = 'GET', more: Fields = []): Fields {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a.example'],
    ...more,
  ]
}

export function headers(
  stream: number,
  fields: Fields | Uint8Array,
  flags: number = Flag.endStream | Flag.endHeaders,
): Buffer {
  return frame(Type.headers, flags, stream, fields instanceof Uint8Array ? fields : block(fields))
}

export function data(
  stream: number,
  body: Uint8Array | string,
  flags: number = Flag.endStream,
): Buffer {
  return frame(Type.data, flags, stream, body)
}

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/** What a server has done so far on a raw connection. */
export interface RawClient {
  readonly socket: Socket
  readonly frames: readonly Frame[]
  /** The connection was closed by the server. */
  readonly closed: boolean
  send(...bytes: readonly Uint8Array[]): void
  /** Resolves with the first frame, also of the past, that fits; undefined when the connection closed before. */
  until(fits: (frame: Frame) => boolean): Promise<Frame | undefined>
  /** Resolves when the server has closed. */
  untilClosed(): Promise<void>
  /** Resolves when the server has answered a PING of ours, that is, has worked off all that was sent; false when it closed instead. */
  settle(): Promise<boolean>
  /** `:status` of the response on a stream, once it is there; undefined when the stream or the connection ended. */
  status(stream: number): Promise<number | undefined>
  destroy(): void
}

/** Connects and, unless told otherwise, sends preface and SETTINGS and acknowledges the server's. */
export async function rawClient(
  port: number,
  options: { readonly greet?: boolean; readonly settings?: Buffer; readonly read?: boolean } = {},
): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const frames: Frame[] = []
  const waiters = new Set<() => void>()
  let rest: Buffer = Buffer.alloc(0)
  let closed = false
  let pings = 0
  const tell = (): void => {
    for (const waiter of waiters) waiter()
  }
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    tell()
  })
  socket.on('end', () => {
    closed = true
    socket.end()
    tell()
  })
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3)
      if (rest.length < 9 + length) break
      const next: Frame = {
        type: rest[3]!,
        flags: rest[4]!,
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(rest.subarray(9, 9 + length)),
      }
      frames.push(next)
      rest = rest.subarray(9 + length)
    }
    tell()
  })
  if (options.read === false) socket.pause()
  const client: RawClient = {
    socket,
    frames,
    get closed() {
      return closed
    },
    send(...bytes) {
      if (!socket.destroyed) socket.write(Buffer.concat(bytes))
    },
    until(fits) {
      const { promise, resolve } = Promise.withResolvers<Frame | undefined>()
      const look = (): void => {
        const found = frames.find(fits)
        if (found === undefined && !closed) return
        waiters.delete(look)
        resolve(found)
      }
      waiters.add(look)
      look()
      return promise
    },
    async untilClosed() {
      await client.until(() => false)
    },
    async settle() {
      pings += 1
      const mark = uint32(0x5e771e, pings)
      client.send(frame(Type.ping, 0, 0, mark))
      const answer = await client.until(
        ({ type, flags, payload }) =>
          type === Type.ping && flags === Flag.ack && payload.equals(mark),
      )
      return answer !== undefined
    },
    async status(stream) {
      const answer = await client.until(
        (next) =>
          next.stream === stream && (next.type === Type.headers || next.type === Type.rstStream),
      )
      return answer?.type === Type.headers ? statusOf(answer.payload) : undefined
    },
    destroy() {
      socket.destroy()
    },
  }
  if (options.greet !== false) {
    client.send(preface, options.settings ?? settings())
    const theirs = await client.until(({ type, flags }) => type === Type.settings && flags === 0)
    if (theirs !== undefined) client.send(settingsAck)
  }
  return client
}

const indexed = [200, 204, 206, 304, 400, 404, 500]

/** The status at the front of a header block, as nghttp2 writes it on a fresh connection. */
export function statusOf(payload: Buffer): number {
  let at = 0
  // Changes of the table's size come first.
  while ((payload[at]! & 0xe0) === 0x20) {
    const large = (payload[at]! & 0x1f) === 0x1f
    at += 1
    if (large) while (payload[at++]! >= 0x80);
  }
  const first = payload[at]!
  if (first >= 0x88 && first <= 0x8e) return indexed[first - 0x88]!
  const length = payload[at + 1]! & 0x7f
  const coded = (payload[at + 1]! & 0x80) !== 0
  const value = payload.subarray(at + 2, at + 2 + length)
  return Number(coded ? digits(value) : value.toString('latin1'))
}

/** Digits in HPACK's Huffman code: 0 to 2 are five bits, 3 to 9 six (RFC 7541 appendix B). */
function digits(bytes: Buffer): string {
  let bits = ''
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0')
  let result = ''
  for (let at = 0; at + 5 <= bits.length; ) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2)
    if (five <= 2) {
      result += String(five)
      at += 5
      continue
    }
    const six = Number.parseInt(bits.slice(at, at + 6), 2)
    if (at + 6 > bits.length || six < 0x19 || six > 0x1f) break
    result += String(six - 0x19 + 3)
    at += 6
  }
  return result
}
