import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { open } from './client.ts'
import { type Daemon, daemon } from './daemon.ts'
import { eventually } from './eventually.ts'
import { folder } from './folder.ts'
import type { Plan, Told } from './lab/plan.ts'
import { balancerCommand } from './lab/remote-balancer.ts'
import { at, freePort, ownAddress } from './loopback.ts'
import { path, suiteWith } from './needs.ts'
import { said } from './run.ts'

const holder = fileURLToPath(new URL('lab/holder.pl', import.meta.url))

/** A server that greets with a word and sends back what it hears. */
async function echoServer(): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.write('welcome\n')
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** Connects and gives the first that is heard. */
async function greeting(host: string, port: number): Promise<string> {
  const socket = await open({ host, port })
  const [heard] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return heard.toString()
}

suiteWith('sockets that somebody else opened', ['systemd-socket-activate', 'socat', 'perl'], () => {
  let server: Server
  let backend = ''

  beforeAll(async () => {
    server = await echoServer()
    backend = at('127.0.0.1', (server.address() as AddressInfo).port)
  })

  afterAll(() => void server?.close())

  const tcp = (): Plan => ({ pool: { backends: [backend] }, tcp: { listen: { fd: 3 } } })

  /** systemd's own tool: it listens, and gives the socket to the command with the first who comes. */
  async function activated(
    listen: readonly string[],
    plan: Plan,
  ): Promise<{ process: Daemon; told: Told[] }> {
    const told: Told[] = []
    const started = await daemon(
      path('systemd-socket-activate'),
      [...listen, ...balancerCommand(plan)],
      {
        ready: /Listening on/,
        // Its own words are on the other output.
        onLine: (line) => told.push(JSON.parse(line) as Told),
      },
    )
    return { process: started, told }
  }

  it('a TCP listener is taken over from systemd, with the connection that woke it', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    const { process: started, told } = await activated(['-l', at(host, port)], tcp())
    await using _process = started
    for (let i = 0; i < 5; i++) expect(await greeting(host, port)).toBe('welcome\n')
    expect(told[0]).toMatchObject({ tell: 'listening', address: host, port })
    await eventually(() => String(told.length), /^6$/)
    expect(told[1]).toMatchObject({ tell: 'session', record: { local: at(host, port) } })
  })

  it('a unix socket is taken over from systemd', async () => {
    await using home = await folder()
    const socket = home.at('front.sock')
    const { process: started } = await activated(['-l', socket], tcp())
    await using _process = started
    const heard = await said(path('socat'), ['-t', '5', '-', `UNIX-CONNECT:${socket}`], {
      input: 'by the path\n',
    })
    expect(heard).toBe('welcome\nby the path\n')
  })

  it('a UDP socket is taken over from systemd, with the datagram that woke it', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    const echo = createSocket('udp4')
    echo.on('message', (message, { port: from, address }) => echo.send(message, from, address))
    echo.bind(0, '127.0.0.1')
    await once(echo, 'listening')
    const { process: started } = await activated(['--datagram', '-l', at(host, port)], {
      pool: { backends: [at('127.0.0.1', echo.address().port)] },
      udp: { listen: { fd: 3 } },
    })
    await using _process = started
    const client = createSocket('udp4')
    for (const word of ['first', 'second', 'third']) {
      client.send(word, port, host)
      const [answer, { address }] = (await once(client, 'message')) as [Buffer, AddressInfo]
      expect(`${address} ${answer.toString()}`).toBe(`${host} ${word}`)
    }
    client.close()
    echo.close()
  })

  it('lives through its servers: no connection is refused while one is killed and the next one starts', async () => {
    const host = ownAddress()
    const port = await freePort(host)
    const told: string[] = []
    await using held = await daemon(
      path('perl'),
      [holder, host, String(port), ...balancerCommand(tcp())],
      { onLine: (line) => told.push(line) },
    )
    const listening = (): string =>
      String(told.filter((line) => line.includes('"listening"')).length)
    held.write('next\n')
    await eventually(listening, /^1$/)
    expect(await greeting(host, port)).toBe('welcome\n')
    for (const [index, generation] of [2, 3].entries()) {
      const pid = Number(told.filter((line) => line.startsWith('child'))[index]!.slice(6))
      process.kill(pid, 'SIGKILL')
      await eventually(() => String(isRunning(pid)), /false/)
      // Nobody accepts now; the kernel does, and the next one finds them.
      const answers: Promise<string>[] = []
      for (let i = 0; i < 20; i++) answers.push(greeting(host, port))
      held.write('next\n')
      await eventually(listening, new RegExp(`^${generation}$`))
      for (let i = 0; i < 20; i++) answers.push(greeting(host, port))
      expect(new Set(await Promise.all(answers))).toEqual(new Set(['welcome\n']))
    }
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
