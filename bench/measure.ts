import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Daemon, freePort } from './daemon.ts'
import { disturbance, quiet } from './disturbance.ts'
import { cpuSeconds, residentMiB } from './process-cpu.ts'

/** The core of the proxy. */
export const proxyCpu = 0
/** The core of the load generator and the backend. */
export const loadCpu = 1

/** What a proxy is told: where to listen, and its one backend. */
export interface Route {
  readonly listen: number
  readonly backend: number
  /** A folder for its configuration. */
  readonly folder: string
  readonly cpu: number
}

/** A proxy that takes part. */
export interface Contender {
  readonly name: string
  start(route: Route): Promise<Daemon>
}

/** One measured run. */
export interface Sample {
  readonly perSecond: number
  /** The main figure: work per CPU-second of the proxy's processes. */
  readonly perCpuSecond: number
  readonly cpuShare: number
  readonly residentMiB: number
  readonly errors: number
  /** Cores that others on the machine kept busy meanwhile. */
  readonly disturbed: number
}

/** What a load generator saw. */
export interface Work {
  readonly work: number
  readonly seconds: number
  readonly errors: number
}

/** What is measured. */
export interface Scenario {
  readonly name: string
  readonly unit: string
  readonly contenders: readonly Contender[]
  /** Before each measured run. Default 1: no JavaScript is cold then that runs a thousand times a second. */
  readonly warmUpSeconds?: number
  /** Loads the port, where the contender listens, for some seconds and tells how much work was done. */
  load(port: number, seconds: number, contender: Contender): Promise<Work>
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

/** How often and how long. */
export interface Plan {
  readonly rounds: number
  readonly seconds: number
  /** On a machine that others use: seconds to wait for them, at most, before a run and before it is taken again. */
  readonly patience: number
}

/** A run in which others kept so much of a core busy is taken again, if {@link Plan.patience} allows it. */
const tooDisturbed = 0.25

/**
 * Runs scenarios, contenders interleaved, so that a noisy neighbour disturbs all alike. Who cannot be measured is said
 * and left out.
 */
export async function measure(
  chosen: readonly Scenario[],
  plan: Plan,
  tell: (line: string) => void,
): Promise<Row[]> {
  const { rounds, seconds, patience } = plan
  const rows: Row[] = []
  for (const scenario of chosen) {
    const samples = new Map<Contender, Sample[]>(scenario.contenders.map((each) => [each, []]))
    const folder = await mkdtemp(join(tmpdir(), 'steelyard-bench-'))
    // Daemons that give up root must still read their files.
    await chmod(folder, 0o755)
    try {
      await using backend = await scenario.backend(folder)
      for (let round = 1; round <= rounds; round++) {
        for (const [contender, list] of samples) {
          let sample: Sample
          try {
            sample = await calm(patience, () =>
              once(scenario, contender, backend.port, folder, seconds),
            )
          } catch (error) {
            samples.delete(contender)
            tell(`${scenario.name} · ${contender.name} is left out: ${reason(error)}`)
            continue
          }
          list.push(sample)
          tell(
            `${scenario.name} · round ${round}/${rounds} · ${contender.name}: ${figure(sample.perCpuSecond)} ${scenario.unit} per CPU-second, ${figure(sample.perSecond)}/s at ${Math.round(sample.cpuShare * 100)} % CPU${sample.disturbed >= 0.1 ? `, others took ${sample.disturbed.toFixed(1)} cores` : ''}${sample.errors > 0 ? `, ${sample.errors} errors` : ''}`,
          )
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    for (const [{ name }, list] of samples) {
      rows.push({ scenario: scenario.name, unit: scenario.unit, contender: name, samples: list })
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
  await scenario.load(listen, scenario.warmUpSeconds ?? 1, contender)
  const others = disturbance()
  const before = cpuSeconds(proxy.pid)
  const result = await scenario.load(listen, seconds, contender)
  const cpu = cpuSeconds(proxy.pid) - before
  return {
    perSecond: result.work / result.seconds,
    perCpuSecond: result.work / cpu,
    cpuShare: cpu / result.seconds,
    residentMiB: residentMiB(proxy.pid),
    errors: result.errors,
    disturbed: others(),
  }
}

/** The least disturbed of at most three tries, each when the machine is quiet, or patience is over. */
async function calm(patience: number, take: () => Promise<Sample>): Promise<Sample> {
  let left = patience
  if (left > 0) left -= await quiet(left)
  let best = await take()
  for (let tries = 1; tries < 3 && left > 0 && best.disturbed > tooDisturbed; tries++) {
    left -= await quiet(left)
    const again = await take()
    if (again.disturbed < best.disturbed) best = again
  }
  return best
}

/** What a person needs of it: a program that would not start often says much more. */
function reason(error: unknown): string {
  const lines = String(error).split('\n')
  return (
    lines.find((line, index) => index > 0 && /error|alert|emerg/i.test(line)) ?? lines.join('\n')
  )
}

/** The middle of a row's samples. */
export function median(row: Row, key: keyof Sample): number {
  const values = row.samples.map((sample) => sample[key]).sort((a, b) => a - b)
  const middle = Math.floor(values.length / 2)
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}

/** A figure for people: three digits that count. */
export function figure(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} k`
  if (value >= 100) return value.toFixed(0)
  return value.toPrecision(3)
}
