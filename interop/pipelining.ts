import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Clients that send bundles of ECHO commands, check each answer, and come again when they are cut off. */
export interface Pipelining {
  /** Connections that ended while they were in use. */
  readonly broken: number
  /** Connections that ended before their first answer. */
  readonly failedConnects: number
  /** Answers that were not what was asked for. */
  readonly wrong: number
  /** Resolves after so many more answers. */
  answers(count: number): Promise<void>
  stop(): Promise<void>
}

/** Commands that are sent before any answer. */
const bundle = 8

/** Connects the clients over loopback and begins. */
export async function pipelining(port: number, clients: number): Promise<Pipelining> {
  let [broken, failedConnects, wrong, answered, stopped] = [0, 0, 0, 0, false]
  const waiting: { at: number; done: () => void }[] = []
  const sockets = new Set<Socket>()

  function begin(client: number): Socket {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let expected = ''
    let serial = 0
    let proven = false
    let over = false
    const ask = (): void => {
      let request = ''
      expected = ''
      for (let i = 0; i < bundle; i++) {
        const word = `${client}:${serial++}`
        request += `*2\r\n$4\r\nECHO\r\n$${word.length}\r\n${word}\r\n`
        expected += `$${word.length}\r\n${word}\r\n`
      }
      socket.write(request)
    }
    socket.setEncoding('latin1')
    socket.on('connect', ask)
    socket.on('data', (text: string) => {
      if (!expected.startsWith(text)) wrong += 1
      expected = expected.slice(text.length)
      if (expected !== '') return
      proven = true
      answered += 1
      for (const entry of waiting.splice(0)) {
        if (entry.at <= answered) entry.done()
        else waiting.push(entry)
      }
      if (stopped) socket.end()
      else ask()
    })
    const end = (): void => {
      if (over) return
      over = true
      sockets.delete(socket)
      if (stopped) return
      if (proven) broken += 1
      else failedConnects += 1
      begin(client)
    }
    socket.on('error', end)
    socket.on('close', end)
    sockets.add(socket)
    return socket
  }

  // Each has been answered once before any of them counts as broken.
  await Promise.all(Array.from({ length: clients }, (_, client) => once(begin(client), 'data')))
  return {
    get broken() {
      return broken
    },
    get failedConnects() {
      return failedConnects
    },
    get wrong() {
      return wrong
    },
    answers: (count) =>
      new Promise((resolve) => waiting.push({ at: answered + count, done: resolve })),
    async stop() {
      stopped = true
      await Promise.all([...sockets].map((socket) => once(socket, 'close')))
    },
  }
}
