// Sends forged datagrams to a port until it is killed, or for ten seconds.
import { createSocket } from 'node:dgram'

const socket = createSocket('udp4')
const port = Number(process.argv[2])
socket.on('error', () => {})
socket.bind(0, '127.0.0.1', () => process.send?.('ready'))
const end = performance.now() + 10_000
function flood() {
  for (let i = 0; i < 20; i++) socket.send('forged', port, '127.0.0.1')
  if (performance.now() < end) setImmediate(flood)
  else socket.close()
}
flood()
