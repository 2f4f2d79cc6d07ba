import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect as tcpConnect } from 'node:net'
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls'
import { pool } from '@steelyard/core'
import { afterEach, describe, expect, it } from 'vitest'
import { type TcpBalancerOptions, tlsContexts } from '../../src/index.ts'
import { fixture, members } from './fixture.ts'
import { echo, ending, everything, mirror, peer, talk } from './peers.ts'

const cleanup: AsyncDisposable[] = []
afterEach(async () => {
  for (const item of cleanup.splice(0).reverse()) await item[Symbol.asyncDispose]()
})
function keep<T extends AsyncDisposable>(item: T): T {
  cleanup.push(item)
  return item
}

const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8')
const certificate = (name: string): { cert: string; key: string } => ({
  cert: pem(name),
  key: pem(`${name}-key`),
})

/** A TLS server that answers with its name, the server name it was asked for, and what it got. */
async function tlsServer(
  name: string,
  cert: string,
): Promise<AsyncDisposable & { address: string }> {
  const server = createServer(
    { ...certificate(cert), ALPNProtocols: ['h2', 'http/1.1'] },
    (socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk) =>
        socket.write(`${name} ${String(socket.servername)} ${chunk.toString()}`),
      )
      socket.on('end', () => socket.end())
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

async function tlsAsk(
  port: number,
  text: string,
  options: ConnectionOptions = {},
): Promise<string> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: pem('ca'),
    servername: 'a.example',
    ...options,
  })
  await once(socket, 'secureConnect')
  const answer = await answerOf(socket, text)
  socket.on('error', () => {})
  socket.end()
  return answer
}

describe('tcp balancer with TLS', () => {
  it('routes TLS by server name and protocol without touching it', async () => {
    const a = keep(await tlsServer('one', 'a'))
    const b = keep(await tlsServer('two', 'b'))
    const one = pool({ name: 'one', backends: [{ address: a.address, id: 'a' }] })
    const two = pool({ name: 'two', backends: [{ address: b.address, id: 'b' }] })
    const { port, record } = keep(
      await fixture({
        pool: one,
        routes: {
          rules: [
            { sni: 'b.example', target: { pool: two } },
            { sni: 'a.example', alpn: 'h2', target: { pool: one } },
          ],
        },
      }),
    )
    expect(await tlsAsk(port, 'x', { ALPNProtocols: ['h2'] })).toBe('one a.example x')
    expect(await record()).toMatchObject({
      serverName: 'a.example',
      alpn: 'h2',
      pool: 'one',
      reason: 'closed',
    })
    expect(await tlsAsk(port, 'y', { servername: 'b.example' })).toBe('two b.example y')
    expect(await record()).toMatchObject({ serverName: 'b.example', pool: 'two', backend: 'b' })
    // No rule takes this protocol, and there is no default.
    await expect(tlsAsk(port, 'z', { ALPNProtocols: ['http/1.1'] })).rejects.toMatchObject({
      code: 'ECONNRESET',
    })
    expect(await record()).toMatchObject({ reason: 'no-route', attempts: 0 })
  })

  it('routes a ClientHello that comes byte by byte behind a PROXY header', async () => {
    const a = keep(await tlsServer('one', 'a'))
    const { port, record } = keep(
      await fixture({
        pool: pool({ backends: [a.address] }),
        acceptProxy: { from: ['127.0.0.1'] },
        routes: {
          rules: [
            { sni: 'a.example', target: { pool: pool({ name: 'named', backends: [a.address] }) } },
          ],
        },
      }),
    )
    const carrier = tcpConnect(port, '127.0.0.1')
    await once(carrier, 'connect')
    // A TLS client whose bytes are cut small by the carrier between.
    const cut = keep(
      await peer('cut', (socket) => {
        carrier.write('PROXY TCP4 203.0.113.9 192.0.2.1 5555 443\r\n')
        socket.on('data', (chunk) => {
          for (const byte of chunk) carrier.write(Uint8Array.of(byte))
        })
        carrier.on('data', (chunk) => socket.write(chunk))
        carrier.on('end', () => socket.end())
        socket.on('end', () => carrier.end())
      }),
    )
    carrier.setNoDelay(true)
    expect(await tlsAsk(cut.port, 'slow')).toBe('one a.example slow')
    expect(await record()).toMatchObject({ client: '203.0.113.9:5555', pool: 'named' })
  })

  it('refuses clients that speak no TLS where it routes by name', async () => {
    const { port, record } = keep(
      await fixture({ pool: pool(), routes: { rules: [], default: { pool: pool() } } }),
    )
    const socket = tcpConnect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\n\r\n')
    expect(await ending(socket)).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'client-hello-invalid', endedBy: 'client' })
  })

  it('ends TLS and passes the plain bytes on, half-close included', async () => {
    const plain = keep(await mirror('plain'))
    const { port, record } = keep(
      await fixture({
        pool: pool({ backends: members(plain) }),
        terminate: tlsContexts({
          certificates: [certificate('a'), certificate('b')],
          alpn: ['h2'],
        }),
      }),
    )
    const big = 'x'.repeat(3_000_000)
    const socket = connect({
      port,
      host: '127.0.0.1',
      ca: pem('ca'),
      servername: 'b.example',
      ALPNProtocols: ['h2'],
      allowHalfOpen: true,
    } as ConnectionOptions)
    await once(socket, 'secureConnect')
    expect(socket.getPeerCertificate().subject.CN).toBe('b.example')
    socket.end(big)
    expect(await everything(socket)).toBe(big)
    expect(await record()).toMatchObject({
      serverName: 'b.example',
      alpn: 'h2',
      reason: 'closed',
      bytesFromClient: big.length,
      bytesToClient: big.length,
    })
  })

  it('says why a handshake failed, and serves the next client', async () => {
    const plain = keep(await echo('plain'))
    const { port, record } = keep(
      await fixture({
        pool: pool({ backends: members(plain) }),
        terminate: tlsContexts({
          certificates: [certificate('a')],
          clientCertificate: 'required',
          clientCa: pem('ca'),
        }),
      }),
    )
    // In TLS 1.3 the client believes to be through before the server has judged its certificate.
    const refused = connect({ port, host: '127.0.0.1', ca: pem('ca'), servername: 'a.example' })
    await ending(refused)
    const failed = await record()
    expect(failed).toMatchObject({ reason: 'tls-failed', endedBy: 'client', attempts: 0 })
    expect(failed.error?.code).toMatch(/^tls-/)
    expect(await tlsAsk(port, 'me', { cert: pem('client'), key: pem('client-key') })).toBe(
      'plain:me',
    )
  })

  it('takes new certificates for new connections and keeps the open ones', async () => {
    const plain = keep(await mirror('plain'))
    const contexts = tlsContexts({ certificates: [certificate('a')] })
    const { port } = keep(
      await fixture({ pool: pool({ backends: members(plain) }), terminate: contexts }),
    )
    const open = connect({ port, host: '127.0.0.1', ca: pem('ca'), servername: 'a.example' })
    await once(open, 'secureConnect')
    contexts.replace([certificate('b')])
    const fresh = connect({ port, host: '127.0.0.1', ca: pem('ca'), servername: 'b.example' })
    await once(fresh, 'secureConnect')
    expect(fresh.getPeerCertificate().subject.CN).toBe('b.example')
    expect(await answerOf(open, 'still here')).toBe('still here')
    expect(() => contexts.replace([{ cert: pem('a'), key: pem('b-key') }])).toThrow(
      expect.objectContaining({ code: 'invalid-option' }),
    )
    expect(await answerOf(fresh, 'me too')).toBe('me too')
    open.destroy()
    fresh.destroy()
  })

  it('speaks TLS to backends and believes only the right ones', async () => {
    const right = keep(await tlsServer('right', 'a'))
    const wrong = keep(await tlsServer('wrong', 'b'))
    const originate = { ca: pem('ca'), serverName: 'a.example' }
    const options = (
      address: string,
    ): Partial<TcpBalancerOptions> & { pool: ReturnType<typeof pool> } => ({
      pool: pool({ backends: [address] }),
      originate,
      retries: 0,
    })
    const good = keep(await fixture(options(right.address)))
    const { socket, answer } = await talk(good.port, 'plain in')
    expect(answer).toBe('right a.example plain in')
    socket.end()
    expect(await good.record()).toMatchObject({ reason: 'closed', attempts: 1 })
    const bad = keep(await fixture(options(wrong.address)))
    const refused = tcpConnect(bad.port, '127.0.0.1')
    expect(await ending(refused)).toBe('ECONNRESET')
    const record = await bad.record()
    expect(record).toMatchObject({ reason: 'backend-tls-failed', endedBy: 'backend' })
    expect(record.error?.cause).toMatchObject({ code: 'tls-verify-failed' })
  })

  it('re-encrypts: TLS in, TLS out, with the PROXY header before both', async () => {
    const heard: string[] = []
    const inner = keep(await tlsServer('inner', 'a'))
    const front = keep(
      await peer('front', (socket) => {
        let head = ''
        const upstream = tcpConnect(Number(inner.address.split(':')[1]), '127.0.0.1')
        upstream.on('error', () => socket.destroy())
        socket.on('close', () => upstream.destroy())
        socket.on('data', function read(chunk) {
          head += chunk.toString('latin1')
          const end = head.indexOf('\r\n')
          if (end < 0) return
          heard.push(head.slice(0, end))
          socket.off('data', read)
          upstream.write(Buffer.from(head.slice(end + 2), 'latin1'))
          socket.pipe(upstream)
          upstream.pipe(socket)
        })
      }),
    )
    const { port } = keep(
      await fixture({
        pool: pool({ backends: members(front) }),
        terminate: tlsContexts({ certificates: [certificate('b')] }),
        originate: { ca: pem('ca'), serverName: 'a.example' },
        sendProxy: 'v1',
      }),
    )
    expect(await tlsAsk(port, 'sealed', { servername: 'b.example' })).toBe('inner a.example sealed')
    expect(heard[0]).toMatch(/^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+$/)
  })

  it('cuts a connection in its handshake when it stops', async () => {
    const { port, balancer, record } = keep(
      await fixture({ pool: pool(), terminate: tlsContexts({ certificates: [certificate('a')] }) }),
    )
    const socket = tcpConnect(port, '127.0.0.1')
    socket.write(Uint8Array.of(22, 3, 1))
    const ended = ending(socket)
    await expect.poll(() => balancer.stats().active).toBe(1)
    await balancer.stop({ drain: 0 })
    expect(await ended).toBe('ECONNRESET')
    expect(await record()).toMatchObject({ reason: 'drain-deadline' })
  })
})

async function answerOf(socket: TLSSocket, text: string): Promise<string> {
  socket.write(text)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}
