// A stranger's program: one checked backend behind a TCP balancer, one connection through it, then a drain.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { leastConnections, pool } from '@steelyard/core'
import { tcpCheck } from '@steelyard/health'
import { tcpBalancer } from '@steelyard/l4'

const server = createServer({ allowHalfOpen: true }, (socket) => {
  // The check closes its connections by reset.
  socket.on('error', () => {}).pipe(socket)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const echo = pool({
  backends: [`127.0.0.1:${server.address().port}`],
  pick: leastConnections(),
  check: tcpCheck({ every: '100ms', timeout: '100ms', rise: 1 }),
})
const balancer = await tcpBalancer({ listen: '127.0.0.1:0', pool: echo }).start()
if (!echo.available.current) await new Promise((resolve) => echo.available.watch(resolve))

const client = connect({ port: balancer.address.port, host: '127.0.0.1' })
client.end('carried there and back')
client.setEncoding('utf8')
let text = ''
for await (const chunk of client) text += chunk
process.stdout.write(text)

await balancer.stop()
server.close()
