import { createSocket } from 'node:dgram'
import { type AddressInfo, createServer } from 'node:net'

/**
 * One demo backend in a process of its own, so that it can be killed like a real one: answers each line
 * over TCP, and each datagram over UDP, with its name in front. Tells its parent the port it got.
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
