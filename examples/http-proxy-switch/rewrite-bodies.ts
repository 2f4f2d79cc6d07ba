// Rewrites JSON both ways: a body parser has read the request, and the answer is written here.
// Usage: node rewrite-bodies.ts PORT TARGET
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as httpProxy from '@steelyard/l7/http-proxy'

const [port = '8000', target = 'http://127.0.0.1:9001'] = process.argv.slice(2)
const bodies = new WeakMap<IncomingMessage, Record<string, unknown>>()

const proxy = httpProxy.createProxyServer({ target, selfHandleResponse: true })

proxy.on('proxyReq', (proxyReq, req) => {
  proxyReq.removeHeader('accept-encoding')
  const body = bodies.get(req)
  if (body === undefined) return
  const text = JSON.stringify({ ...body, tenant: 'acme' })
  proxyReq.setHeader('content-type', 'application/json')
  proxyReq.setHeader('content-length', Buffer.byteLength(text))
  proxyReq.write(text)
})

proxy.on('proxyRes', (proxyRes, _req, res) => {
  const pieces: Buffer[] = []
  proxyRes.on('data', (piece: Buffer) => pieces.push(piece))
  proxyRes.on('end', () => {
    const text = Buffer.concat(pieces).toString()
    const isJson = proxyRes.headers['content-type']?.startsWith('application/json') === true
    const answer = isJson
      ? JSON.stringify({ ...(JSON.parse(text) as object), served: 'rewritten' })
      : text
    res.statusCode = proxyRes.statusCode ?? 502
    res.setHeader('content-type', proxyRes.headers['content-type'] ?? 'text/plain')
    res.setHeader('x-served-by', 'rewrite-bodies')
    res.end(answer)
  })
})

proxy.on('error', (error, _req, res) => {
  console.error(error.message)
  res.end()
})

/** What express.json() does. */
async function readJson(req: IncomingMessage): Promise<void> {
  if (req.headers['content-type'] !== 'application/json') return
  const pieces: Buffer[] = []
  for await (const piece of req) pieces.push(piece as Buffer)
  bodies.set(req, JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>)
}

const server = createServer((req, res) => {
  readJson(req).then(
    () => proxy.web(req, res),
    () => {
      res.writeHead(400)
      res.end()
    },
  )
})

server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening on port', (server.address() as AddressInfo).port)
})
