import { type Daemon, daemon } from '../daemon.ts'
import type { Folder } from '../folder.ts'
import { path } from '../needs.ts'

let serial = 0

/** Starts HAProxy in one process with frontends and backends of the caller's; when it resolves, all of them listen. */
export async function haproxy(home: Folder, sections: string): Promise<Daemon> {
  serial += 1
  const ready = home.at(`haproxy-${serial}.sock`)
  const file = await home.write(
    `haproxy-${serial}.cfg`,
    `global
  nbthread 1
  maxconn 1000
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend ready
  bind ${ready}
${sections}
`,
  )
  return daemon(path('haproxy'), ['-db', '-f', file], { ready: { path: ready } })
}
