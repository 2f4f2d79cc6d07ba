import { readFile } from 'node:fs/promises'
import type { Folder } from '../folder.ts'
import { at, freePort, ownAddress } from '../loopback.ts'
import { path } from '../needs.ts'
import { said } from '../run.ts'
import type { Authority, Issued } from './authority.ts'
import { haproxy } from './haproxy.ts'
import { type HttpOrigin, nodeOrigin } from './http-origin.ts'
import { nginx } from './nginx.ts'

/**
 * One of every kind that there is: nginx, HAProxy and Node, each with and without TLS, by HTTP/1.1 and by HTTP/2. All of
 * them answer `/who` with their name and the protocol.
 */
export async function everyOrigin(home: Folder, trust: Authority): Promise<HttpOrigin[]> {
  const issued = await trust.issue('origin', ['DNS:origin.test'])
  const tls = { ca: trust.ca, serverName: 'origin.test' }
  const nodes = await Promise.all(
    (['http/1.1', 'h2c', 'https', 'h2'] as const).map((speech) =>
      nodeOrigin(
        speech,
        (request, response) => {
          response.setHeader('content-type', 'text/plain')
          response.end(`node HTTP/${request.httpVersion}\n`)
        },
        speech === 'https' || speech === 'h2' ? { issued, ca: trust.ca } : undefined,
      ),
    ),
  )
  return [
    ...nodes,
    await nginxOrigin(home, 'nginx http/1.1', '', { protocol: 'http/1.1' }),
    await nginxOrigin(home, 'nginx h2c', 'http2', { protocol: 'h2' }),
    await nginxOrigin(home, 'nginx h2', 'ssl http2', { protocol: 'auto', tls }, issued),
    await haproxyOrigin(home, 'haproxy http/1.1', '', { protocol: 'http/1.1' }),
    await haproxyOrigin(home, 'haproxy h2c', 'proto h2', { protocol: 'h2' }),
    await haproxyOrigin(home, 'haproxy h2', `ssl crt ${issued.bothFile} alpn h2,http/1.1`, {
      protocol: 'auto',
      tls,
    }),
  ]
}

async function nginxOrigin(
  home: Folder,
  name: string,
  listen: string,
  upstream: HttpOrigin['upstream'],
  issued?: Issued,
): Promise<HttpOrigin> {
  const host = ownAddress()
  const address = at(host, await freePort(host))
  const log = home.at(`${address}.log`)
  const server = await nginx(home, {
    http: `  log_format line "$request_uri";
  server {
    listen ${address} backlog=1024 ${listen};
    ${issued === undefined ? '' : `ssl_certificate ${issued.certFile}; ssl_certificate_key ${issued.keyFile};`}
    access_log ${log} line;
    location = /who { default_type text/plain; return 200 "nginx $server_protocol\\n"; }
  }`,
  })
  return {
    ...{ name, address, upstream },
    seen: async () => (await readFile(log, 'utf8')).split('\n').length - 1,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function haproxyOrigin(
  home: Folder,
  name: string,
  bind: string,
  upstream: HttpOrigin['upstream'],
): Promise<HttpOrigin> {
  const host = ownAddress()
  const address = at(host, await freePort(host))
  const status = home.at(`${address}.sock`)
  const server = await haproxy(
    home,
    `frontend origin
  bind ${address} ${bind}
  http-request return status 200 content-type text/plain lf-string "haproxy HTTP/%[req.ver]\\n"
frontend status
  bind ${status}
  stats enable
  stats uri /status`,
  )
  return {
    ...{ name, address, upstream },
    seen: async () => {
      const table = await said(path('curl'), [
        '-sS',
        '--unix-socket',
        status,
        'http://x/status;csv',
      ])
      const rows = table.split('\n').map((line) => line.split(','))
      const column = rows[0]!.indexOf('req_tot')
      return Number(
        rows.find(([proxy, side]) => proxy === 'origin' && side === 'FRONTEND')?.[column],
      )
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
