import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, createServer as createRawServer, type Socket } from 'node:net'

/** What Node's parser makes of the first message of some bytes. */
export interface Reading {
  /** Undefined when it was not taken whole. */
  readonly message: Message | undefined
  readonly code: string
}

/** A message as both parsers can tell it. */
export interface Message {
  readonly start: string
  readonly lines: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly trailers: readonly (readonly [name: string, value: string])[]
}

const together = 24

/** Has `node:http` read each of the requests on a connection of its own. */
export async function readRequests(inputs: readonly Uint8Array[]): Promise<Reading[]> {
  const readings: Reading[] = []
  const open = new Map<number, (reading: Reading) => void>()
  const first = new Map<number, IncomingMessage>()
  // What a request means is not compared here: a missing Host is the gate's to see.
  const server = createServer({ requireHostHeader: false })
  const take = (message: IncomingMessage): void => {
    const client = message.socket.remotePort!
    // What follows the first message is not compared.
    if (first.has(client)) return void message.resume()
    first.set(client, message)
    const done = open.get(client)
    const start = `${message.method} ${message.url} HTTP/${message.httpVersion}`
    void settle(message, start, done)
  }
  server.on('request', take)
  server.on('checkContinue', take)
  server.on('checkExpectation', take)
  server.on('connect', (message: IncomingMessage, socket: Socket) => {
    const start = `${message.method} ${message.url} HTTP/${message.httpVersion}`
    const message_: Message = { start, lines: pairs(message.rawHeaders), body: '', trailers: [] }
    open.get(socket.remotePort!)?.({ message: message_, code: '' })
    socket.destroy()
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // It may be about what follows a message that was complete.
    if (first.get(socket.remotePort!)?.complete === true) return
    open.get(socket.remotePort!)?.({ message: undefined, code: error.code ?? error.message })
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await inTurns(inputs, async (bytes, index) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    await once(socket, 'connect')
    const client = socket.localPort!
    const reading = await new Promise<Reading>((resolve) => {
      open.set(client, resolve)
      socket.on('close', () => resolve({ message: undefined, code: 'closed' }))
      socket.resume()
      socket.end(bytes)
    })
    open.delete(client)
    first.delete(client)
    socket.destroy()
    readings[index] = reading
  })
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
  return readings
}

/** Has `node:http` read each as the answer to a request of its own. */
export async function readResponses(
  inputs: readonly { readonly bytes: Uint8Array; readonly method: string }[],
): Promise<Reading[]> {
  const readings: Reading[] = []
  const server = createRawServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (head) => {
      const index = Number(/ \/(\d+) /.exec(head.toString('latin1'))?.[1])
      socket.end(inputs[index]!.bytes)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await inTurns(inputs, async ({ method }, index) => {
    readings[index] = await new Promise<Reading>((resolve) => {
      const asked = request({ port, host: '127.0.0.1', method, path: `/${index}`, agent: false })
      let taken: IncomingMessage | undefined
      asked.on('response', (message) => {
        taken = message
        const start = `HTTP/${message.httpVersion} ${message.statusCode} ${message.statusMessage}`
        void collect(message, start).then(resolve)
      })
      asked.on('error', (error: NodeJS.ErrnoException) => {
        // It may be about what follows a message that was complete.
        if (taken?.complete === true) return
        resolve({ message: undefined, code: error.code ?? error.message })
      })
      asked.on('close', () => {
        if (taken === undefined) resolve({ message: undefined, code: 'closed' })
      })
      asked.end()
    })
  })
  server.close()
  await once(server, 'close')
  return readings
}

async function settle(
  message: IncomingMessage,
  start: string,
  done: ((reading: Reading) => void) | undefined,
): Promise<void> {
  const reading = await collect(message, start)
  done?.(reading)
  message.socket.destroy()
}

async function collect(message: IncomingMessage, start: string): Promise<Reading> {
  let body = ''
  message.setEncoding('latin1')
  try {
    for await (const piece of message) body += piece as string
  } catch (error) {
    return { message: undefined, code: (error as NodeJS.ErrnoException).code ?? 'aborted' }
  }
  if (!message.complete) return { message: undefined, code: 'incomplete' }
  return {
    message: {
      start,
      lines: pairs(message.rawHeaders),
      body,
      trailers: pairs(message.rawTrailers),
    },
    code: '',
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = []
  for (let i = 0; i < flat.length; i += 2) result.push([flat[i]!, flat[i + 1]!])
  return result
}

async function inTurns<T>(
  items: readonly T[],
  run: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next
      next += 1
      await run(items[index]!, index)
    }
  }
  await Promise.all(Array.from({ length: together }, worker))
}
