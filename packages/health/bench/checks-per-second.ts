/**
 * How many checks a core makes: `node --conditions=@steelyard/source packages/health/bench/checks-per-second.ts`.
 *
 * The peers run in a process of their own; what counts is the processor time of this one, divided by
 * the checks that it made. Arguments: seconds for each line (5), and the kinds to run (all).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { type Backend, backend, cell, type HealthSubject } from '@steelyard/core'
import {
  type Check,
  check,
  healthMonitor,
  httpCheck,
  passed,
  tcpCheck,
  tlsCheck,
} from '../src/index.ts'

const [seconds = '5', ...kinds] = process.argv.slice(2)

if (seconds === 'peers') await runPeers()
else await measureAll(Number(seconds) * 1000, kinds)

async function runPeers(): Promise<void> {
  const tcp = createServer((socket) => socket.on('error', () => {}).resume())
  const http = createHttpServer((_request, response) => response.end('fine'))
  http.keepAliveTimeout = 60_000
  const vector = (name: string): Buffer =>
    readFileSync(new URL(`../test/vectors/tls/${name}`, import.meta.url))
  const tls = createTlsServer({ cert: vector('server.pem'), key: vector('server-key.pem') })
  tls
    .on('tlsClientError', () => {})
    .on('secureConnection', (socket) => socket.on('error', () => {}))
  const listening = await Promise.all([tcp, http, tls].map(listen))
  process.send?.(listening)
}

async function listen(server: Server): Promise<number> {
  server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function measureAll(durationMs: number, wanted: readonly string[]): Promise<void> {
  const peers = fork(import.meta.filename, ['peers'], { execArgv: process.execArgv })
  const [tcpPort, httpPort, tlsPort] = await portsOf(peers)
  const every = '1s'
  const runs: [string, number, Check, number][] = [
    ['monitor alone', 5000, check('none', () => passed('fine'), { every, timeout: '1s' }), 1],
    ['tcp', 5000, tcpCheck({ every, timeout: '1s' }), tcpPort],
    ['http, kept alive', 2000, httpCheck({ every, timeout: '1s' }), httpPort],
    ['http, connecting', 1000, httpCheck({ every, timeout: '1s', keepAlive: false }), httpPort],
    ['tls', 500, tlsCheck({ every, timeout: '1s' }), tlsPort],
  ]
  console.log(`Node ${process.version}, ${durationMs / 1000} s each`)
  for (const [name, targets, plan, port] of runs) {
    if (wanted.length === 0 || wanted.some((kind) => name.startsWith(kind))) {
      console.log(`${name.padEnd(18)} ${await measure(targets, plan, port, durationMs)}`)
    }
  }
  peers.kill()
}

async function portsOf(peers: ChildProcess): Promise<readonly [number, number, number]> {
  const [ports] = (await once(peers, 'message')) as [[number, number, number]]
  return ports
}

async function measure(
  targets: number,
  plan: Check,
  port: number,
  durationMs: number,
): Promise<string> {
  using monitor = healthMonitor({ concurrency: 2000 })
  let down = 0
  const subject: HealthSubject = {
    name: 'bench',
    targets: cell<readonly Backend[]>(
      // All of 127.0.0.0/8 is this host, so each target has an address of its own.
      Array.from({ length: targets }, (_, i) => {
        return backend(`127.1.${Math.floor(i / 250)}.${1 + (i % 250)}:${port}`)
      }),
    ),
    verdict: () => ({ state: 'unknown', since: 0, reason: '' }),
    report: (_id, { state }) => {
      if (state === 'down') down += 1
    },
  }
  monitor.attach(subject, plan)
  // The first round warms up.
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const before = monitor.stats
  const cpu = process.cpuUsage()
  const began = performance.now()
  await new Promise((resolve) => setTimeout(resolve, durationMs))
  const { user, system } = process.cpuUsage(cpu)
  const elapsed = (performance.now() - began) / 1000
  const { checks, failed, inconclusive, delayed } = monitor.stats
  const made = checks - before.checks
  const micros = (user + system) / made
  return [
    `${Math.round(made / elapsed)} checks/s`,
    `${micros.toFixed(1)} µs of processor each`,
    `so ${Math.round(1e6 / micros)} a second and core;`,
    `failed ${failed}, inconclusive ${inconclusive}, delayed ${delayed}, reported down ${down}`,
  ].join(' ')
}
