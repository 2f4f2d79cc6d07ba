import { connect, type TLSSocket } from 'node:tls'

/** One request that was not answered by 200. */
export interface Failure {
  readonly method: string
  readonly id: string
  /** Monotonic milliseconds at which it was sent. */
  readonly sentAt: number
  /** What came instead. */
  readonly why: string
  /** The connection had been used before, and ended without a byte of an answer: the client may ask again. */
  readonly stale: boolean
}

/** Clients that each ask again and again on one connection, and come again when it has ended. */
export interface KeepAliveClients {
  readonly answered: number
  readonly failures: readonly Failure[]
  /** The bodies of POSTs that were answered. */
  readonly posted: ReadonlySet<string>
  /** Connections that were made. */
  readonly connections: number
  /** How connections ended: `told` by Connection: close, `idle` between two requests, `reset`, `in answer`. */
  readonly ends: Readonly<Record<string, number>>
  /** Resolves after so many more answers. */
  answers(count: number): Promise<void>
  /** Comes again no more; resolves when all connections have ended. */
  over(): Promise<void>
}

/** How clients are. */
export interface KeepAliveOptions {
  readonly port: number
  readonly ca: string
  readonly gets: number
  readonly posts: number
}

let last = 0

/** Connects the clients by TLS over loopback, and begins. */
export function keepAliveClients({ port, ca, gets, posts }: KeepAliveOptions): KeepAliveClients {
  const failures: Failure[] = []
  const posted = new Set<string>()
  const ends: Record<string, number> = { told: 0, idle: 0, reset: 0, 'in answer': 0 }
  const waiting: { at: number; done: () => void }[] = []
  const open = new Set<TLSSocket>()
  let [answered, connections, leaving] = [0, 0, false]
  let emptied = (): void => {}

  function begin(method: 'GET' | 'POST'): void {
    connections += 1
    const socket = connect({ port, host: '127.0.0.1', ca, servername: 'edge.test' })
    let [id, sentAt, text, served, reset, told] = ['', 0, '', 0, false, false]
    open.add(socket)
    socket.setEncoding('latin1')
    const fail = (why: string): void => {
      failures.push({ method, id, sentAt, why, stale: served > 0 && text === '' })
      id = ''
    }
    const ask = (): void => {
      last += 1
      id = `${process.pid}-${last}`
      sentAt = performance.now()
      text = ''
      const length = method === 'POST' ? `Content-Length: ${id.length}\r\n\r\n${id}` : '\r\n'
      socket.write(`${method} /${id} HTTP/1.1\r\nHost: edge.test\r\n${length}`)
    }
    const took = (head: string): void => {
      if (head.startsWith('HTTP/1.1 200 ')) {
        answered += 1
        if (method === 'POST') posted.add(id)
      } else {
        fail(head.slice(0, head.indexOf('\r')))
      }
      id = ''
      served += 1
      for (const entry of waiting.splice(0)) {
        if (entry.at <= answered) entry.done()
        else waiting.push(entry)
      }
      told = /^connection: close\r?$/im.test(head)
      if (told) socket.end()
      else ask()
    }
    socket.on('secureConnect', ask)
    socket.on('data', (piece: string) => {
      text += piece
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? Number.NaN)
      const head = text.slice(0, end + 2)
      if (Number.isNaN(length)) socket.destroy(new Error(`no length: ${head}`))
      else if (text.length >= end + 4 + length) took(head)
    })
    socket.on('error', () => (reset = true))
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      open.delete(socket)
      const how = told ? 'told' : reset ? 'reset' : text === '' || id === '' ? 'idle' : 'in answer'
      ends[how]! += 1
      if (id !== '') fail(`the connection ended (${how})`)
      if (!leaving) begin(method)
      else if (open.size === 0) emptied()
    })
  }

  for (let i = 0; i < gets; i++) begin('GET')
  for (let i = 0; i < posts; i++) begin('POST')
  return {
    get answered() {
      return answered
    },
    get connections() {
      return connections
    },
    ...{ failures, posted, ends },
    answers: (count) =>
      new Promise((resolve) => waiting.push({ at: answered + count, done: resolve })),
    over() {
      leaving = true
      return new Promise((resolve) => {
        emptied = resolve
        if (open.size === 0) resolve()
      })
    },
  }
}
