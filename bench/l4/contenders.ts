import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { daemon } from '../daemon.ts'
import type { Contender, Route } from '../measure.ts'

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Node as the packages are meant to run: the built JavaScript, no type stripping at work. */
function nodeScript(name: string, file: string, ...args: string[]): Contender {
  return {
    name,
    start: ({ listen, backend, cpu }) =>
      daemon(cpu, [process.execPath, script(file), String(listen), String(backend), ...args], {
        line: /listening/,
      }),
  }
}

function haproxy(name: string, defaults: string): Contender {
  return {
    name,
    async start({ listen, backend, folder, cpu }) {
      const config = join(folder, `haproxy-${listen}.cfg`)
      await writeFile(
        config,
        `global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 50s
  timeout server 50s
${defaults}
frontend front
  bind 127.0.0.1:${listen} backlog 4096
  default_backend back
backend back
  balance leastconn
  server one 127.0.0.1:${backend} check inter 2s
`,
      )
      return daemon(cpu, ['haproxy', '-db', '-f', config], { port: listen })
    },
  }
}

function nginx(name: string, server: (route: Route) => string): Contender {
  return {
    name,
    async start(route) {
      const { folder, listen, cpu } = route
      const config = join(folder, `nginx-${listen}.conf`)
      await writeFile(
        config,
        `load_module modules/ngx_stream_module.so;
worker_processes 1;
daemon off;
pid ${folder}/nginx-${listen}.pid;
error_log ${folder}/nginx-${listen}.log crit;
events { worker_connections 8192; }
stream {
  access_log off;
${server(route)}
}
`,
      )
      const ready = server(route).includes('udp') ? { line: /^$/ } : { port: listen }
      return daemon(cpu, ['nginx', '-c', config, '-e', `${folder}/nginx-${listen}.log`], ready)
    },
  }
}

/** Everybody for the TCP scenarios. */
export const tcpContenders: readonly Contender[] = [
  nodeScript('steelyard', './proxy-steelyard.ts', 'tcp'),
  haproxy('haproxy', ''),
  haproxy('haproxy splice', '  option splice-request\n  option splice-response'),
  nginx(
    'nginx stream',
    ({ listen, backend }) => `  upstream back { server 127.0.0.1:${backend}; least_conn; }
  server { listen 127.0.0.1:${listen} backlog=4096; proxy_pass back; proxy_timeout 50s; proxy_connect_timeout 5s; }`,
  ),
  nodeScript('net pipe', './proxy-net-pipe.ts'),
]

/** Everybody for the UDP scenario. */
export const udpContenders: readonly Contender[] = [
  nodeScript('steelyard', './proxy-steelyard.ts', 'udp'),
  nginx(
    'nginx stream',
    ({ listen, backend }) => `  upstream back { server 127.0.0.1:${backend}; }
  server { listen 127.0.0.1:${listen} udp; proxy_pass back; proxy_timeout 60s; }`,
  ),
]
