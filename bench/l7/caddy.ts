import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { daemon } from '../daemon.ts'
import type { Contender } from '../measure.ts'
import { certificateFiles, onlyHost, type Setup } from './setup.ts'

/** Caddy on one processor of Go's scheduler; it adds X-Forwarded-For, -Proto and -Host by itself. */
export function caddy(setup: Setup): Contender {
  return {
    name: 'caddy',
    async start({ listen, backend, folder, cpu }) {
      const config = join(folder, `caddy-${listen}.conf`)
      const { cert, key } = certificateFiles(folder)
      await writeFile(
        config,
        `{
  admin off
  auto_https off
  servers {
    protocols h1 h2
    timeouts {
      read_header 10s
      idle 75s
    }
  }
}
${setup.tls ? 'https' : 'http'}://:${listen} {
  bind 127.0.0.1
  ${setup.tls ? `tls ${cert} ${key}` : ''}
  @web {
    host ${onlyHost}
    path /api/*
  }
  reverse_proxy @web 127.0.0.1:${backend} {
    transport http {
      dial_timeout 5s
      response_header_timeout 60s
      keepalive 60s
      keepalive_idle_conns 256
      keepalive_idle_conns_per_host 256
      compression off
    }
  }
}
`,
      )
      return daemon(
        cpu,
        ['caddy', 'run', '--config', config, '--adapter', 'caddyfile'],
        { port: listen },
        { GOMAXPROCS: '1', HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
      )
    },
  }
}
