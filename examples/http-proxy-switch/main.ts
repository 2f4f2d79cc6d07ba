// A development server: /api goes to one service, all else to another. Usage: node main.ts PORT API PAGES
import { createServer, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as httpProxy from '@steelyard/l7/http-proxy'

const [port = '8000', api = 'http://127.0.0.1:9001', pages = 'http://127.0.0.1:9002'] =
  process.argv.slice(2)

const proxy = httpProxy.createProxyServer({
  xfwd: true,
  changeOrigin: true,
  proxyTimeout: 30_000,
  cookieDomainRewrite: { '*': '' },
  autoRewrite: true,
})

proxy.on('proxyReq', (proxyReq) => {
  proxyReq.setHeader('x-dev-server', 'yes')
})

proxy.on('proxyRes', (proxyRes) => {
  proxyRes.headers['access-control-allow-origin'] = '*'
  delete proxyRes.headers['content-security-policy']
})

proxy.on('error', (error, req, res) => {
  console.error(`${req.method} ${req.url}: ${error.message}`)
  if (!(res instanceof ServerResponse)) return
  res.writeHead(503, { 'content-type': 'application/json' })
  res.end(JSON.stringify({ error: 'the service is not running' }))
})

const server = createServer((req, res) => {
  const { url = '/' } = req
  if (url === '/api' || url.startsWith('/api/')) {
    req.url = url.slice('/api'.length)
    proxy.web(req, res, { target: api })
  } else {
    proxy.web(req, res, { target: pages })
  }
})

server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening on port', (server.address() as AddressInfo).port)
})
