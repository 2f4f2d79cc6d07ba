import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Daemon, daemon, freePort } from '../daemon.ts'
import { cpuSeconds, residentMiB } from '../process-cpu.ts'
import { type Contender, tcpContenders, udpContenders } from './contenders.ts'
import { wrk } from './wrk.ts'

/** One measured run. */
export interface Sample {
  readonly perSecond: number
  /** The main figure: work per CPU-second of the proxy's processes. */
  readonly perCpuSecond: number
  readonly cpuShare: number
  readonly residentMiB: number
  readonly errors: number
}

/** What is measured. */
export interface Scenario {
  readonly name: string
  readonly unit: string
  readonly contenders: readonly Contender[]
  /** Loads the port for some seconds and tells how much work was done. */
  load(port: number, seconds: number): Promise<{ work: number; seconds: number; errors: number }>
  /** Starts what the proxy forwards to. */
  backend(folder: string): Promise<Daemon & { readonly port: number }>
}

/** All samples of one contender in one scenario. */
export interface Row {
  readonly scenario: string
  readonly unit: string
  readonly contender: string
  readonly samples: readonly Sample[]
}

const proxyCpu = 0
const loadCpu = 1
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

/** The four scenarios. */
export const scenarios: readonly Scenario[] = [
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

/** Runs scenarios, contenders interleaved, so that a noisy neighbour disturbs all alike. */
export async function measure(
  chosen: readonly Scenario[],
  rounds: number,
  seconds: number,
  tell: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const scenario of chosen) {
    const samples = new Map<string, Sample[]>(scenario.contenders.map(({ name }) => [name, []]))
    const folder = await mkdtemp(join(tmpdir(), 'steelyard-bench-'))
    // Daemons that give up root must still read their files.
    await chmod(folder, 0o755)
    try {
      await using backend = await scenario.backend(folder)
      for (let round = 1; round <= rounds; round++) {
        for (const contender of scenario.contenders) {
          const sample = await once(scenario, contender, backend.port, folder, seconds)
          samples.get(contender.name)!.push(sample)
          tell(
            `${scenario.name} · round ${round}/${rounds} · ${contender.name}: ${figure(sample.perCpuSecond)} ${scenario.unit} per CPU-second, ${figure(sample.perSecond)}/s at ${Math.round(sample.cpuShare * 100)} % CPU${sample.errors > 0 ? `, ${sample.errors} errors` : ''}`,
          )
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    for (const [contender, list] of samples) {
      rows.push({ scenario: scenario.name, unit: scenario.unit, contender, samples: list })
    }
  }
  return rows
}

async function once(
  scenario: Scenario,
  contender: Contender,
  backend: number,
  folder: string,
  seconds: number,
): Promise<Sample> {
  const listen = await freePort()
  await using proxy = await contender.start({ listen, backend, folder, cpu: proxyCpu })
  await scenario.load(listen, 1)
  const before = cpuSeconds(proxy.pid)
  const result = await scenario.load(listen, seconds)
  const cpu = cpuSeconds(proxy.pid) - before
  return {
    perSecond: result.work / result.seconds,
    perCpuSecond: result.work / cpu,
    cpuShare: cpu / result.seconds,
    residentMiB: residentMiB(proxy.pid),
    errors: result.errors,
  }
}

/** A figure for people: three digits that count. */
export function figure(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} k`
  if (value >= 100) return value.toFixed(0)
  return value.toPrecision(3)
}
