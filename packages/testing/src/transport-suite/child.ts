import type { Stream, StreamHandler, Transport } from '@steelyard/core'

// A program that the suite runs as a process of its own: it loads the transport under test from the
// module that it is told, does one task, and reports over the channel to its parent.

const [, , module = '', task = ''] = process.argv
const { makeTransport } = (await import(module)) as { makeTransport: () => Transport }
const transport = makeTransport()
const tell = (message: object): void => void process.send!(message)
const ignore = (): void => {}
const open = new Set<Stream>()
const quiet: StreamHandler = {
  data: ignore,
  ended: ignore,
  drained: ignore,
  closed: (stream) => void open.delete(stream),
}

if (task === 'exhaust') await exhaust()
else if (task === 'inherit') await inherit()
else if (task === 'finish') await finish()
else throw new Error(`no task "${task}"`)

async function exhaust(): Promise<void> {
  let told = false
  const listener = await transport.listen(
    { host: '127.0.0.1', port: 0 },
    {
      accepted(stream) {
        stream.handler = quiet
        open.add(stream)
        stream.resume()
        stream.write(Buffer.from('welcome'))
      },
      failed(error) {
        if (told) return
        told = true
        tell({ failed: { code: error.code, source: error.source } })
      },
    },
  )
  process.on('message', (message) => {
    if (message === 'connect') probe(listener.address.port)
    else {
      const streams = [...open]
      for (const stream of streams) stream.destroy()
      const wait = (): void => {
        if (streams.some((stream) => open.has(stream))) setImmediate(wait)
        else tell({ released: streams.length })
      }
      wait()
    }
  })
  tell({ port: listener.address.port })
}

function probe(port: number): void {
  transport.connect(
    { host: '127.0.0.1', port },
    {
      ...quiet,
      opened(stream) {
        tell({ connect: 'opened' })
        stream.destroy()
      },
      closed(_stream, error) {
        if (error !== undefined) tell({ connect: error.code })
      },
    },
  )
}

async function inherit(): Promise<void> {
  const accept = {
    accepted(stream: Stream) {
      stream.handler = quiet
      stream.write(Buffer.from('welcome'))
    },
    failed: ignore,
  }
  // The parent passes them after its own four.
  const tcp = await transport.listen({ fd: 4 }, accept)
  const unix = await transport.listen({ fd: 5 }, accept)
  const bad = await transport.listen({ fd: 1000 }, accept).then(
    () => '',
    (error: { code: string }) => error.code,
  )
  const udp = await transport.bind(
    { fd: 6, host: '127.0.0.1' },
    { message: ignore, failed: ignore, closed: ignore },
  )
  tell({ ports: [tcp.address.port, unix.address.port, udp.local.port], bad })
}

async function finish(): Promise<void> {
  const accepted = Promise.withResolvers<void>()
  const listener = await transport.listen(
    { host: '127.0.0.1', port: 0 },
    {
      accepted(stream) {
        stream.destroy()
        accepted.resolve()
      },
      failed: ignore,
    },
  )
  const stream = transport.connect({ host: '127.0.0.1', port: listener.address.port }, quiet)
  const socket = await transport.bind(
    { host: '127.0.0.1' },
    { message: ignore, failed: ignore, closed: ignore },
  )
  await accepted.promise
  stream.destroy()
  socket.close()
  await listener.close()
  process.disconnect()
}
