import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { figure, median, type Row } from './measure.ts'

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

/** Who takes part besides Node, HAProxy, nginx and wrk. */
export interface Company {
  /** Names of commands that {@link environment} knows. */
  readonly commands?: readonly (keyof typeof commandVersions)[]
  /** Packages of npm. */
  readonly packages?: readonly string[]
}

const commandVersions = {
  haproxy: { flag: '-v', pattern: /version (\S+)/ },
  nginx: { flag: '-v', pattern: /nginx\/(\S+)/ },
  wrk: { flag: '-v', pattern: /wrk (?:debian\/)?(\S+)/ },
  caddy: { flag: 'version', pattern: /v?(\d\S*)/ },
  h2load: { flag: '--version', pattern: /nghttp2\/(\S+)/ },
} as const

/** Reads the machine, the versions of all who take part, and the commit. */
export function environment({ commands = [], packages = [] }: Company = {}): Environment {
  const all = ['haproxy', 'nginx', 'wrk', ...commands] as const
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    versions: {
      node: process.version,
      ...Object.fromEntries(all.map((name) => [name, commandVersion(name)] as const)),
      ...Object.fromEntries(packages.map((name) => [name, packageVersion(name)] as const)),
    },
    commit: firstMatch('git', ['rev-parse', '--short', 'HEAD'], /(\S+)/),
    date: new Date().toISOString().slice(0, 10),
  }
}

/**
 * The tables in Markdown: minimum, median and maximum per CPU-second, and the ratios to HAProxy, else nginx, and to the
 * best of `peers` where some took part.
 */
export function markdown(
  rows: readonly Row[],
  env: Environment,
  peers: readonly string[] = [],
): string {
  const versions = Object.entries(env.versions).map(([name, version]) => `${name} ${version}`)
  const scenarios = [...new Set(rows.map(({ scenario }) => scenario))]
  return [
    `${env.cpu}, ${env.cores} cores, ${env.memoryGiB} GiB, Linux ${env.kernel}; ${versions.join(', ')}; commit ${env.commit}, ${env.date}.${warning(rows)}`,
    ...scenarios.map((scenario) =>
      table(
        rows.filter((row) => row.scenario === scenario),
        peers,
      ),
    ),
  ].join('\n\n')
}

/** That the machine was not quiet. */
function warning(rows: readonly Row[]): string {
  const others = rows.flatMap(({ samples }) => samples.map(({ disturbed }) => disturbed))
  const middle = others.sort((a, b) => a - b)[others.length >> 1] ?? 0
  if (middle < 0.1) return ''
  return ` **Taken while others kept ${middle.toFixed(1)} cores busy, in the median: not to be trusted before it was taken again on a quiet machine.**`
}

/** The row that others are compared with. */
function referenceRow(rows: readonly Row[]): Row | undefined {
  return (
    rows.find(({ contender }) => contender.startsWith('haproxy')) ??
    rows.find(({ contender }) => contender.startsWith('nginx'))
  )
}

/** The row of the best of some contenders. */
export function bestRow(rows: readonly Row[], names: readonly string[]): Row | undefined {
  const those = rows.filter(({ contender }) => names.includes(contender))
  return those.sort((a, b) => median(b, 'perCpuSecond') - median(a, 'perCpuSecond'))[0]
}

/** One row's work per CPU-second as a multiple of another's. */
export function ratio(row: Row, to: Row): number {
  return median(row, 'perCpuSecond') / median(to, 'perCpuSecond')
}

function table(rows: readonly Row[], peers: readonly string[]): string {
  const { scenario, unit } = rows[0]!
  const bases = [referenceRow(rows), bestRow(rows, peers)].filter((row) => row !== undefined)
  const lines = rows.map((row) => {
    const values = row.samples.map(({ perCpuSecond }) => perCpuSecond)
    const errors = row.samples.reduce((sum, sample) => sum + sample.errors, 0)
    return cells([
      row.contender,
      figure(Math.min(...values)),
      `**${figure(median(row, 'perCpuSecond'))}**`,
      figure(Math.max(...values)),
      ...bases.map((base) => ratio(row, base).toFixed(2)),
      figure(median(row, 'perSecond')),
      `${Math.round(median(row, 'cpuShare') * 100)} %`,
      String(Math.round(median(row, 'residentMiB'))),
      String(errors),
      median(row, 'disturbed').toFixed(2),
    ])
  })
  return [
    `### ${scenario}: ${unit} per CPU-second of the proxy`,
    '',
    cells([
      'proxy',
      'min',
      'median',
      'max',
      ...bases.map(({ contender }) => `vs ${contender}`),
      `${unit}/s`,
      'CPU',
      'MiB',
      'errors',
      'others',
    ]),
    cells(['---', ...Array<string>(8 + bases.length).fill('--:')]),
    ...lines,
  ].join('\n')
}

function cells(texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`
}

function commandVersion(name: keyof typeof commandVersions): string {
  const { flag, pattern } = commandVersions[name]
  return firstMatch(name, [flag], pattern)
}

function packageVersion(name: string): string {
  try {
    const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  } catch {
    return 'absent'
  }
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
