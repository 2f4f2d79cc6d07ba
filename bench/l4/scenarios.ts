import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Daemon, daemon, freePort } from '../daemon.ts'
import { loadCpu, type Scenario } from '../measure.ts'
import { wrk } from '../wrk.ts'
import { tcpContenders, udpContenders } from './contenders.ts'

const run = promisify(execFile)

async function httpBackend(folder: string): Promise<Daemon & { readonly port: number }> {
  const port = await freePort()
  await writeFile(join(folder, 'bulk'), Buffer.alloc(64 * 1024 ** 2, 'steelyard'))
  const config = join(folder, 'backend.conf')
  await writeFile(
    config,
    `worker_processes 1;
daemon off;
pid ${folder}/backend.pid;
error_log ${folder}/backend.log crit;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder};
    location /1k { return 200 '${'x'.repeat(1024)}'; }
  }
}
`,
  )
  const nginx = await daemon(loadCpu, ['nginx', '-c', config, '-e', `${folder}/backend.log`], {
    port,
  })
  return Object.assign(nginx, { port })
}

async function udpBackend(): Promise<Daemon & { readonly port: number }> {
  const port = await freePort()
  const script = fileURLToPath(new URL('./udp-echo.ts', import.meta.url))
  const echo = await daemon(loadCpu, [process.execPath, script, String(port)], {
    line: /listening/,
  })
  return Object.assign(echo, { port })
}

/** What `bench -- l4` measures. */
export const l4Scenarios: readonly Scenario[] = [
  {
    name: 'connections',
    unit: 'connections',
    contenders: tcpContenders,
    backend: httpBackend,
    async load(port, seconds) {
      const result = await wrk({
        url: `http://127.0.0.1:${port}/1k`,
        connections: 64,
        seconds,
        headers: ['Connection: close'],
        cpu: loadCpu,
      })
      return { work: result.requests, seconds: result.seconds, errors: result.errors }
    },
  },
  {
    name: 'requests on open connections',
    unit: 'requests',
    contenders: tcpContenders,
    backend: httpBackend,
    async load(port, seconds) {
      const result = await wrk({
        url: `http://127.0.0.1:${port}/1k`,
        connections: 64,
        seconds,
        cpu: loadCpu,
      })
      return { work: result.requests, seconds: result.seconds, errors: result.errors }
    },
  },
  {
    name: 'bulk',
    unit: 'GB',
    contenders: tcpContenders,
    backend: httpBackend,
    async load(port, seconds) {
      const result = await wrk({
        url: `http://127.0.0.1:${port}/bulk`,
        connections: 4,
        seconds,
        cpu: loadCpu,
      })
      return { work: result.bytes / 1e9, seconds: result.seconds, errors: result.errors }
    },
  },
  {
    name: 'udp',
    unit: 'round trips',
    contenders: udpContenders,
    backend: udpBackend,
    async load(port, seconds) {
      const script = fileURLToPath(new URL('./udp-load.ts', import.meta.url))
      const args = [
        '-c',
        String(loadCpu),
        process.execPath,
        script,
        String(port),
        '64',
        '4',
        String(seconds),
      ]
      const { stdout } = await run('taskset', args)
      const { trips, lost } = JSON.parse(stdout) as { trips: number; lost: number }
      return { work: trips, seconds, errors: lost }
    },
  },
]
