import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { cleanup, run } from './program.ts'

async function tcpServer(name: string): Promise<{ address: string; close: () => void }> {
  const server = createServer((socket) => socket.on('error', () => {}).end(name))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => void server.close()
  cleanup.push(close)
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

async function read(port: number): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of connect(port, '127.0.0.1') as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('examples', () => {
  it('l4-health balances, and tells of a backend that dies', async () => {
    const a = await tcpServer('a')
    const b = await tcpServer('b')
    const program = run('l4-health', '127.0.0.1:0', a.address, b.address)
    const port = Number((await program.says(/port (\d+)/))[1])
    await program.says(new RegExp(`${a.address} up`))
    expect([await read(port), await read(port)].sort()).toEqual(['a', 'b'])
    a.close()
    await program.says(new RegExp(`${a.address} down .*refused`))
    expect(await read(port)).toBe('b')
    expect(await program.end()).toBe(0)
  })

  it('sni-routing refuses what speaks no TLS', async () => {
    const program = run('sni-routing', '127.0.0.1:0', 'a.example=127.0.0.1:1')
    const port = Number((await program.says(/port (\d+)/))[1])
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'))
    const [error] = (await once(socket, 'error').catch((failure: unknown) => [failure])) as [
      NodeJS.ErrnoException,
    ]
    expect(error.code).toBe('ECONNRESET')
    await program.says(/client-hello-invalid/)
    expect(await program.end()).toBe(0)
  })

  it('udp-sessions brings the answer back', async () => {
    const backend = createSocket('udp4')
    backend.on('message', (message, { port, address }) =>
      backend.send(`got ${message.toString()}`, port, address),
    )
    backend.bind(0, '127.0.0.1')
    await once(backend, 'listening')
    cleanup.push(() => backend.close())
    const program = run('udp-sessions', '127.0.0.1:0', `127.0.0.1:${backend.address().port}`)
    const port = Number((await program.says(/port (\d+)/))[1])
    const client = createSocket('udp4')
    cleanup.push(() => client.close())
    client.send('hello', port, '127.0.0.1')
    expect(String((await once(client, 'message'))[0])).toBe('got hello')
    expect(await program.end()).toBe(0)
  })

  it('follow-health announces while the pool is well', async () => {
    let well = true
    const server = createHttpServer((_, response) => response.writeHead(well ? 200 : 503).end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanup.push(() => server.close())
    cleanup.push(() => server.closeAllConnections())
    const program = run('follow-health', '0', `127.0.0.1:${(server.address() as AddressInfo).port}`)
    await program.says(/announce/)
    well = false
    await program.says(/withdraw/)
    expect(await program.end()).toBe(0)
  })
})
