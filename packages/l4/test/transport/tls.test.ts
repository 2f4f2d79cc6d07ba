import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, TLSSocket, connect as tlsConnect } from 'node:tls'
import type { RelayEnd, Stream, StreamListener } from '@steelyard/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adoptSocket } from '../../src/transport/adopt-socket.ts'
import { type NodeTransport, nodeTransport } from '../../src/transport/node-transport.ts'

const folder = mkdtempSync(join(tmpdir(), 'steelyard-tls-'))
let key: Buffer
let cert: Buffer

beforeAll(() => {
  const keyFile = join(folder, 'key.pem')
  const certFile = join(folder, 'cert.pem')
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=localhost'],
  ])
  key = readFileSync(keyFile)
  cert = readFileSync(certFile)
})
afterAll(() => rmSync(folder, { recursive: true }))

for (const io of ['handles', 'public'] as const) {
  describe(`TLS over released streams, ${io}`, () => {
    const transport = nodeTransport({ io })

    for (const peeked of [false, true]) {
      it(`is terminated and adopted${peeked ? ' after a look at the ClientHello' : ''}`, async () => {
        const server = await terminating(transport, peeked)
        await using _ = { [Symbol.asyncDispose]: () => server.listener.close() }
        const client = tlsConnect({
          port: server.listener.address.port,
          host: '127.0.0.1',
          rejectUnauthorized: false,
          allowHalfOpen: true,
        } as ConnectionOptions)
        const stream = await server.stream
        const forth = randomBytes(5 * 1024 * 1024)
        const back = randomBytes(5 * 1024 * 1024)
        const heard = collect(stream)
        const got: Buffer[] = []
        client.on('data', (chunk: Buffer) => got.push(chunk))
        client.end(forth)
        stream.write(back)
        expect(stream.pending).toBeGreaterThan(0)
        stream.end()
        await Promise.all([once(client, 'end'), heard.closed])
        expect(sha(heard.bytes())).toBe(sha(forth))
        expect(sha(Buffer.concat(got))).toBe(sha(back))
        expect(heard.error()).toBeUndefined()
        expect(stream.remote).toMatchObject({ address: '127.0.0.1', family: 4 })
      })
    }

    it('is relayed to a plain stream, both ways, with back-pressure', async () => {
      const server = await terminating(transport, true)
      const forth = randomBytes(8 * 1024 * 1024)
      const echo = await transport.listen(
        { host: '127.0.0.1', port: 0 },
        {
          accepted(stream) {
            stream.handler = {
              data(from, bytes) {
                if (!from.write(bytes)) from.pause()
              },
              drained: (from) => from.resume(),
              ended: (from) => from.end(),
              closed() {},
            }
            stream.resume()
          },
          failed() {},
        },
      )
      await using _ = {
        async [Symbol.asyncDispose]() {
          await echo.close()
          await server.listener.close()
        },
      }
      const client = tlsConnect({
        port: server.listener.address.port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        allowHalfOpen: true,
      } as ConnectionOptions)
      const stream = await server.stream
      const done = Promise.withResolvers<RelayEnd>()
      const backend = transport.connect(
        { host: '127.0.0.1', port: echo.address.port },
        { ...quiet, opened: (b) => void transport.relay(stream, b, { done: done.resolve }) },
      )
      const got: Buffer[] = []
      client.on('data', (chunk: Buffer) => got.push(chunk))
      client.end(forth)
      await once(client, 'end')
      expect(sha(Buffer.concat(got))).toBe(sha(forth))
      expect(await done.promise).toEqual({ by: 'a' })
      expect(backend.bytesWritten).toBe(forth.length)
    })

    it('resets through its carrier, and hears a reset', async () => {
      const server = await terminating(transport, false)
      await using _ = { [Symbol.asyncDispose]: () => server.listener.close() }
      const open = {
        port: server.listener.address.port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
      }
      const first = tlsConnect(open)
      first.resume()
      const stream = await server.stream
      const heard = collect(stream)
      const failed = once(first, 'error')
      stream.reset()
      expect(await failed).toMatchObject([{ code: 'ECONNRESET' }])
      await heard.closed

      const again = server.next()
      const plain = connect(open.port, open.host)
      const second = tlsConnect({ socket: plain, rejectUnauthorized: false })
      second.on('error', () => {})
      await once(second, 'secureConnect')
      const accepted = await again
      const other = collect(accepted)
      accepted.write(Buffer.from('x'))
      await once(second, 'data')
      plain.resetAndDestroy()
      await other.closed
      expect(other.error()).toMatchObject({ code: 'connection-reset', source: 'client' })
      expect(other.closes()).toBe(1)
    })
  })
}

const quiet = { data() {}, ended() {}, drained() {}, closed() {} }

interface Terminating {
  readonly listener: StreamListener
  readonly stream: Promise<Stream>
  next(): Promise<Stream>
}

async function terminating(transport: NodeTransport, peeked: boolean): Promise<Terminating> {
  let arrival = Promise.withResolvers<Stream>()
  const first = arrival.promise
  const terminate = (stream: Stream, seen?: Uint8Array): void => {
    const socket = transport.release(stream)
    if (seen !== undefined) socket.unshift(seen)
    const tls = new TLSSocket(socket, { isServer: true, key, cert })
    tls.once('secure', () =>
      arrival.resolve(adoptSocket(tls, { source: 'client', carrier: socket })),
    )
  }
  const listener = await transport.listen(
    { host: '127.0.0.1', port: 0 },
    {
      accepted(stream) {
        if (!peeked) return terminate(stream)
        stream.handler = { ...quiet, data: (from, bytes) => terminate(from, new Uint8Array(bytes)) }
        stream.resume()
      },
      failed() {},
    },
  )
  return {
    listener,
    stream: first,
    next() {
      arrival = Promise.withResolvers()
      return arrival.promise
    },
  }
}

function collect(stream: Stream): {
  closed: Promise<void>
  bytes(): Buffer
  error(): Error | undefined
  closes(): number
} {
  const chunks: Buffer[] = []
  const over = Promise.withResolvers<void>()
  let error: Error | undefined
  let closes = 0
  stream.handler = {
    ...quiet,
    data: (_from, bytes) => void chunks.push(Buffer.from(bytes)),
    closed(_from, failure) {
      closes++
      error = failure
      over.resolve()
    },
  }
  stream.resume()
  return {
    closed: over.promise,
    bytes: () => Buffer.concat(chunks),
    error: () => error,
    closes: () => closes,
  }
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
