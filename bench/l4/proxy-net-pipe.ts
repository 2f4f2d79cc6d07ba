import { connect, createServer } from 'node:net'

// What one writes by hand without a balancer: two sockets, two pipes, timeouts.
const [listen, backend] = process.argv.slice(2)

createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ port: Number(backend), host: '127.0.0.1', allowHalfOpen: true })
  client.setTimeout(50_000, () => client.destroy())
  server.setTimeout(50_000, () => server.destroy())
  client.on('error', () => server.destroy())
  server.on('error', () => client.destroy())
  client.pipe(server)
  server.pipe(client)
}).listen({ port: Number(listen), host: '127.0.0.1', backlog: 4096 }, () =>
  console.log('listening'),
)
