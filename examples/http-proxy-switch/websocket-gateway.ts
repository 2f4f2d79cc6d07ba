// A WebSocket gateway: rooms by path, one token for all. Usage: node websocket-gateway.ts PORT CHAT
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as httpProxy from '@steelyard/l7/http-proxy'

const [port = '8000', chat = 'ws://127.0.0.1:9001'] = process.argv.slice(2)
const token = 'open-sesame'

const proxy = httpProxy.createProxyServer({ target: chat, xfwd: true })

proxy.on('proxyReqWs', (proxyReq, req) => {
  proxyReq.setHeader('x-room', new URL(req.url ?? '/', 'http://gateway').pathname.slice(1))
})
proxy.on('open', () => console.log('open'))
proxy.on('close', () => console.log('close'))
proxy.on('error', (error, _req, socket) => {
  console.log('error', (error as NodeJS.ErrnoException).code)
  socket.end()
})

const server = createServer((_req, res) => {
  res.writeHead(426, { 'content-type': 'text/plain' })
  res.end('WebSocket only\n')
})

server.on('upgrade', (req, socket, head) => {
  socket.on('error', (error) => console.log('client', error.message))
  const { searchParams } = new URL(req.url ?? '/', 'http://gateway')
  if (searchParams.get('token') !== token) {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n')
    return
  }
  proxy.ws(req, socket, head)
})

server.listen(Number(port), '127.0.0.1', () => {
  console.log('listening on port', (server.address() as AddressInfo).port)
})
