import { createSocket } from 'node:dgram'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'

/**
 * One demo backend in a process of its own, so that it can be killed like a real one: answers each line
 * over TCP, each datagram over UDP and each request over HTTP with its name in front. Tells its parent the
 * port it got.
 */
const [name = 'backend', protocol = 'tcp', wanted = '0'] = process.argv.slice(2)
const port = Number(wanted)

const ready = (actual: number): void => void process.send?.({ name, port: actual })

if (protocol === 'udp') {
  const socket = createSocket('udp4')
  socket.on('message', (message, { address, port: from }) => {
    socket.send(Buffer.concat([Buffer.from(`${name}: `), message]), from, address)
  })
  socket.bind(port, '127.0.0.1', () => ready(socket.address().port))
} else if (protocol === 'http') {
  const server = createHttpServer((request, response) => {
    const { method = '', url = '', headers } = request
    request.resume()
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    // As if there were something to do.
    const answer = (): void => void response.end(`${name}: ${method} ${headers.host}${url}\n`)
    if (url === '/healthz') answer()
    else setTimeout(answer, 1 + Math.random() * 8)
  })
  server.keepAliveTimeout = 60_000
  server.listen(port, '127.0.0.1', () => ready((server.address() as AddressInfo).port))
} else {
  const server = createServer((socket) => {
    socket.setEncoding('latin1')
    let rest = ''
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = (lines.pop() ?? '').slice(-4096)
      for (const line of lines) socket.write(`${name}: ${line}\n`, 'latin1')
    })
    socket.on('error', () => socket.destroy())
  })
  server.listen(port, '127.0.0.1', () => ready((server.address() as AddressInfo).port))
}

// Nobody should outlive the demo.
process.on('disconnect', () => process.exit(0))
