// A server for a network namespace: it greets with its name and the address of who has come, and sends back
// what it hears. Arguments: name and port. Says `ready` when it listens, and ends with its standard input.
import { createServer, type Socket } from 'node:net'

const [name = '', port = ''] = process.argv.slice(2)
const sockets = new Set<Socket>()
const server = createServer({ allowHalfOpen: true }, (socket) => {
  sockets.add(socket)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => sockets.delete(socket))
  socket.write(`${name} ${socket.remoteAddress?.replace('::ffff:', '')}\n`)
  socket.pipe(socket)
})
server.listen({ host: '::', port: Number(port), backlog: 1024 }, () => {
  process.stdout.write('ready\n')
})
process.stdin.on('end', () => {
  server.close()
  for (const socket of sockets) socket.destroy()
})
process.stdin.resume()
