import { readFileSync } from 'node:fs'
import httpProxy from '@fastify/http-proxy'
import fastify, { type FastifyServerOptions } from 'fastify'
import { nodeProxyOrder } from './node-proxy.ts'

// HTTP/2 comes by ALPN where there is TLS.
const { listen, backend, tls } = nodeProxyOrder()
const app = fastify({
  keepAliveTimeout: 75_000,
  requestTimeout: 60_000,
  ...(tls === undefined
    ? {}
    : {
        http2: true,
        https: { allowHTTP1: true, cert: readFileSync(tls.cert), key: readFileSync(tls.key) },
      }),
} as FastifyServerOptions)
await app.register(httpProxy, {
  upstream: `http://127.0.0.1:${backend}`,
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 },
  replyOptions: {
    rewriteRequestHeaders: ({ socket }, headers) => ({
      ...headers,
      'x-forwarded-for': socket.remoteAddress,
    }),
    // It hands on what the backend says of the backend's connection, which contradicts Node where the client's ends.
    rewriteHeaders: ({ connection: _, 'keep-alive': __, ...headers }) => headers,
  },
})
await app.listen({ port: listen, host: '127.0.0.1' })
console.log('listening')
