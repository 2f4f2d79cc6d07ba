import { readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, ServerResponse } from 'node:http'
import { nodeProxyOrder } from './node-proxy.ts'

/** What http-proxy and all its descendants have in common. */
interface ProxyServer {
  on(
    name: 'error',
    told: (error: Error, request?: IncomingMessage, answer?: unknown) => void,
  ): unknown
  listen(port: number, host: string): unknown
}

/** Serves as the order says: a keep-alive agent, X-Forwarded-*, and timeouts. */
export function serveBy(create: (options: object) => ProxyServer): void {
  const { listen, backend, tls } = nodeProxyOrder()
  const proxy = create({
    target: `http://127.0.0.1:${backend}`,
    agent: new Agent({ keepAlive: true, maxFreeSockets: 256 }),
    xfwd: true,
    timeout: 60_000,
    proxyTimeout: 60_000,
    ...(tls === undefined
      ? {}
      : { ssl: { cert: readFileSync(tls.cert), key: readFileSync(tls.key) } }),
  })
  proxy.on('error', (_error, _request, answer) => {
    if (answer instanceof ServerResponse && !answer.headersSent) answer.writeHead(502).end()
  })
  proxy.listen(listen, '127.0.0.1')
  // They do not all tell when they listen; what is late is asked again by the kernel.
  setTimeout(() => console.log('listening'), 300)
}
