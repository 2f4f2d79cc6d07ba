import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { daemon } from '../daemon.ts'
import type { Contender } from '../measure.ts'
import { certificateFiles, hosts, onlyHost, type Setup } from './setup.ts'

/** HAProxy with one thread; with many rules it looks the host up in a map. */
export function haproxy(setup: Setup, name = 'haproxy', defaults = ''): Contender {
  return {
    name,
    async start({ listen, backend, folder, cpu }) {
      const config = join(folder, `haproxy-${listen}.cfg`)
      const map = join(folder, `haproxy-${listen}.map`)
      const bySetup = setup.tls ? ` ssl crt ${certificateFiles(folder).pem} alpn h2,http/1.1` : ''
      const rule =
        setup.rules === 1
          ? `use_backend web if { hdr(host) -i ${onlyHost} } { path_beg /api/ }`
          : `use_backend %[req.hdr(host),lower,map_str(${map})] if { path_beg /api/ }`
      if (setup.rules > 1) {
        const lines = hosts(setup.rules).map((host) => `${host} web\n`)
        await writeFile(map, lines.join(''))
      }
      await writeFile(
        config,
        `global
  nbthread 1
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
  timeout http-keep-alive 75s
  option forwardfor
  http-reuse always
${defaults}
frontend front
  bind 127.0.0.1:${listen} backlog 4096${bySetup}
  ${rule}
backend web
  server one 127.0.0.1:${backend} check inter 2s
`,
      )
      return daemon(cpu, ['haproxy', '-db', '-f', config], { port: listen })
    },
  }
}
