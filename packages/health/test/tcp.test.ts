import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkerSuite } from '@steelyard/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { isSelfConnected } from '../src/checkers/self-connection.ts'
import { tcpCheck } from '../src/index.ts'
import { nobody, probe, type ServedPeer, tcpPeer } from './peers.ts'

/** Answers whatever contains one thing with another. */
const answers =
  (...pairs: [string, string][]) =>
  (socket: Socket): void => {
    socket.on('data', (data) => {
      for (const [said, answer] of pairs) if (String(data).includes(said)) socket.write(answer)
    })
  }

checkerSuite('tcpCheck', {
  makeCheck: () => tcpCheck({ steps: [{ send: 'PING\r\n', expect: '+PONG' }] }),
  well: () => tcpPeer(answers(['PING', '+PONG\r\n'])),
  unwell: nobody,
  silent: () => tcpPeer(),
})

describe('tcpCheck', () => {
  const open: ServedPeer[] = []
  const peer = async (accepted?: (socket: Socket) => void): Promise<ServedPeer> => {
    const started = await tcpPeer(accepted)
    open.push(started)
    return started
  }
  afterEach(async () => {
    for (const started of open.splice(0)) await started.close()
  })

  it('passes who accepts, also when it closes at once', async () => {
    const target = await peer((socket) => socket.destroy())
    expect(await probe(tcpCheck(), target)).toEqual({
      outcome: 'ok',
      reason: `connect to ${target.address} succeeded`,
    })
  })

  it('fails who refuses, for good', async () => {
    const target = await nobody()
    expect(await probe(tcpCheck(), target)).toEqual({
      outcome: 'fail',
      reason: `connect to ${target.address} refused`,
      evidence: { code: 'ECONNREFUSED' },
      definite: true,
    })
  })

  it.each(['reset', 'fin'] as const)('closes by %s', async (close) => {
    const ends: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const target = await peer((socket) => {
      socket.on('end', () => ends.push('fin'))
      socket.on('error', (error: NodeJS.ErrnoException) => ends.push(String(error.code)))
      socket.once('close', () => resolve())
    })
    await probe(tcpCheck({ close }), target)
    await promise
    expect(ends).toEqual([close === 'fin' ? 'fin' : 'ECONNRESET'])
  })

  it('talks in steps, with hexadecimal and expressions, and its last words arrive', async () => {
    const heard: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const target = await peer((socket) => {
      socket.write('220 mail ready\r\n')
      socket.on('data', (data) => {
        heard.push(String(data))
        if (String(data) === 'EHLO x\r\n') socket.write('250-A\r\n')
        if (String(data) === 'EHLO x\r\n') socket.write('250 B\r\n')
      })
      socket.once('end', () => resolve())
    })
    const check = tcpCheck({
      steps: [
        { expect: { hex: '32 32 30' } },
        { send: 'EHLO x\r\n', expect: { regex: '^250 .*\\r\\n', flags: 'm' } },
        { send: 'QUIT\r\n' },
      ],
    })
    expect(await probe(check, target)).toMatchObject({ outcome: 'ok' })
    await promise
    expect(heard.join('')).toBe('EHLO x\r\nQUIT\r\n')
  })

  it('fails wrong bytes as soon as they can not become right ones', async () => {
    const target = await peer((socket) => socket.write('-ERR go away\r\n'))
    const check = tcpCheck({ steps: [{ send: 'PING\r\n', expect: '+PONG' }] })
    expect(await probe(check, target)).toMatchObject({
      outcome: 'fail',
      definite: true,
      reason: `${target.address} gave a wrong answer: expected "+PONG", got "-ERR go away\\r\\n"`,
    })
  })

  it('fails who closes in the middle', async () => {
    const target = await peer((socket) => socket.end('+PO'))
    const check = tcpCheck({ steps: [{ send: 'PING\r\n', expect: '+PONG' }] })
    expect(await probe(check, target)).toMatchObject({
      outcome: 'fail',
      reason: `${target.address} closed the connection: expected "+PONG", got "+PO"`,
    })
  })

  it('reads no more than it may of one who never stops', async () => {
    const target = await peer((socket) => {
      const chatter = Buffer.alloc(65_536, 'x')
      const pour = (): void => {
        while (!socket.destroyed && socket.write(chatter));
      }
      socket.on('drain', pour)
      pour()
    })
    const check = tcpCheck({ steps: [{ expect: /never/ }], maxBytes: '8KiB' })
    expect(await probe(check, target)).toMatchObject({
      outcome: 'fail',
      reason: `${target.address} gave a wrong answer: no /never/ in the first 8192 bytes`,
    })
  })

  it('says what it waited for when the time is up', async () => {
    const asked = Promise.withResolvers<void>()
    const target = await peer((socket) => socket.once('data', () => asked.resolve()))
    const time = new AbortController()
    const check = tcpCheck({ steps: [{ send: 'PING\r\n', expect: '+PONG' }] })
    const result = probe(check, target, time.signal)
    await asked.promise
    time.abort()
    expect(await result).toEqual({
      outcome: 'fail',
      reason: `${target.address} did not answer within 5000ms: expected "+PONG", got nothing`,
    })
  })

  it('names the connect when nobody answers it', async () => {
    const target = await peer()
    expect(await probe(tcpCheck(), target, AbortSignal.abort())).toEqual({
      outcome: 'fail',
      reason: `connect to ${target.address} timed out after 5000ms`,
    })
  })

  it('checks unix sockets', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'check-'))
    const path = join(folder, 's')
    const target = { address: `unix:${path}`, host: path, port: 0 }
    expect(await probe(tcpCheck(), target)).toMatchObject({
      outcome: 'fail',
      reason: `connect to unix:${path} failed: there is no such socket`,
    })
    const server = createServer((socket) => socket.end('hello')).listen(path)
    await once(server, 'listening')
    const check = tcpCheck({ steps: [{ expect: 'hello' }] })
    expect(await probe(check, target)).toMatchObject({ outcome: 'ok' })
    server.close()
    await once(server, 'close')
    await rm(folder, { recursive: true })
  })

  it('knows a connection with itself, which is how a free port of this host may answer', async () => {
    // Made on purpose here; by chance the system picks the very port as the source.
    const { port } = await nobody()
    const own = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.1', localPort: port })
    await once(own, 'connect')
    expect(isSelfConnected(own)).toBe(true)
    own.destroy()
    const target = await peer()
    const other = connect({ host: '127.0.0.1', port: target.port })
    await once(other, 'connect')
    expect(isSelfConnected(other)).toBe(false)
    other.destroy()
  })

  it('binds the source that it is told', async () => {
    const from = Promise.withResolvers<string | undefined>()
    const target = await peer((socket) => from.resolve(socket.remoteAddress))
    await probe(tcpCheck({ source: '127.0.0.9' }), target)
    expect(await from.promise).toBe('127.0.0.9')
  })

  it('blames itself when its own system has run out', async () => {
    const target = await peer()
    const result = await probe(tcpCheck({ source: '192.0.2.77' }), target)
    expect(result).toMatchObject({ outcome: 'inconclusive', evidence: { code: 'EADDRNOTAVAIL' } })
  })

  it.each([
    [{ close: 'gently' as 'fin' }, 'tcpCheck.close: "gently" is neither reset nor fin'],
    [{ source: 'here' }, 'tcpCheck.source: "here" is not an IP address'],
    [{ maxBytes: 0 }, 'tcpCheck.maxBytes: 0 bytes'],
    [{ port: 0 }, 'tcpCheck.port: 0 is not a port'],
    [{ address: 'a b' }, 'tcpCheck.address: "a b" is neither an IP'],
    [{ steps: [{ send: { hex: 'x' } }] }, 'tcpCheck.steps[0].send: "x" is not hexadecimal'],
    [{ every: '1s', timeout: '2s' }, 'tcpCheck.timeout: 2000ms must be from 1ms'],
  ])('refuses %j', (options, message) => {
    expect(() => tcpCheck(options)).toThrow(message)
  })
})
