// A stranger's program that was written for the package http-proxy: only its import is another.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createProxyServer } from '@steelyard/l7/http-proxy'

const backend = createServer((request, response) => {
  response.end(`${request.method} ${request.url} ${String(request.headers['x-special'])}`)
})
backend.listen(0, '127.0.0.1')
await once(backend, 'listening')

const proxy = createProxyServer({ target: `http://127.0.0.1:${backend.address().port}` })
proxy.on('proxyReq', (proxyReq) => proxyReq.setHeader('x-special', 'yes'))
proxy.on('proxyRes', (proxyRes) => {
  proxyRes.headers['x-seen'] = 'yes'
})
const front = createServer((request, response) => proxy.web(request, response))
front.listen(0, '127.0.0.1')
await once(front, 'listening')

const response = await fetch(`http://127.0.0.1:${front.address().port}/a?b=1`)
process.stdout.write(`${await response.text()} ${response.headers.get('x-seen')}`)

for (const server of [front, backend]) {
  server.close()
  server.closeAllConnections()
}
proxy.close()
