import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { figure, type Row } from './l4/run.ts'

/** What the figures depend on. */
export interface Environment {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly versions: Readonly<Record<string, string>>
  readonly commit: string
  readonly date: string
}

/** Reads the machine, the versions of all who take part, and the commit. */
export function environment(): Environment {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    versions: {
      node: process.version,
      haproxy: firstMatch('haproxy', ['-v'], /version (\S+)/),
      nginx: firstMatch('nginx', ['-v'], /nginx\/(\S+)/),
      wrk: firstMatch('wrk', ['-v'], /wrk (?:debian\/)?(\S+)/),
    },
    commit: firstMatch('git', ['rev-parse', '--short', 'HEAD'], /(\S+)/),
    date: new Date().toISOString().slice(0, 10),
  }
}

/** The tables in Markdown: min, median and max per CPU-second, and the ratio to HAProxy or nginx. */
export function markdown(rows: readonly Row[], env: Environment): string {
  const versions = Object.entries(env.versions).map(([name, version]) => `${name} ${version}`)
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))]
  return [
    `${env.cpu}, ${env.cores} cores, ${env.memoryGiB} GiB, Linux ${env.kernel}; ${versions.join(', ')}; commit ${env.commit}, ${env.date}.`,
    ...scenarios.map((scenario) => table(rows.filter((row) => row.scenario === scenario))),
  ].join('\n\n')
}

function table(rows: readonly Row[]): string {
  const { scenario, unit } = rows[0]!
  const reference =
    rows.find(({ contender }) => contender === 'haproxy') ??
    rows.find(({ contender }) => contender.startsWith('nginx'))
  const base = reference === undefined ? Number.NaN : median(reference, 'perCpuSecond')
  const lines = rows.map((row) => {
    const values = row.samples.map(({ perCpuSecond }) => perCpuSecond)
    const errors = row.samples.reduce((sum, sample) => sum + sample.errors, 0)
    return `| ${row.contender} | ${figure(Math.min(...values))} | **${figure(median(row, 'perCpuSecond'))}** | ${figure(Math.max(...values))} | ${(median(row, 'perCpuSecond') / base).toFixed(2)} | ${figure(median(row, 'perSecond'))} | ${Math.round(median(row, 'cpuShare') * 100)} % | ${Math.round(median(row, 'residentMiB'))} | ${errors} |`
  })
  return [
    `### ${scenario}: ${unit} per CPU-second of the proxy`,
    '',
    `| proxy | min | median | max | vs ${reference?.contender ?? 'none'} | ${unit}/s | CPU | MiB | errors |`,
    '| --- | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...lines,
  ].join('\n')
}

function median(row: Row, key: 'perSecond' | 'perCpuSecond' | 'cpuShare' | 'residentMiB'): number {
  const values = row.samples.map((sample) => sample[key]).sort((a, b) => a - b)
  const middle = Math.floor(values.length / 2)
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}

function firstMatch(command: string, args: readonly string[], pattern: RegExp): string {
  try {
    const output = execFileSync('sh', ['-c', '"$0" "$@" 2>&1 || true', command, ...args], {
      encoding: 'utf8',
    })
    return pattern.exec(output)?.[1] ?? 'unknown'
  } catch {
    return 'absent'
  }
}
