import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What one run of wrk saw. */
export interface WrkResult {
  readonly requests: number
  readonly bytes: number
  readonly seconds: number
  /** Connects, reads and writes that failed, timeouts, and answers other than 2xx and 3xx. */
  readonly errors: number
}

/** How wrk loads a URL. */
export interface WrkLoad {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  readonly headers?: readonly string[]
  /** A Lua file that makes the requests, and its arguments. */
  readonly script?: readonly [file: string, ...args: string[]]
  readonly cpu: number
}

/** Runs wrk with one thread on one CPU. */
export async function wrk(load: WrkLoad): Promise<WrkResult> {
  const { url, connections, seconds, headers = [], script, cpu } = load
  const { stdout } = await run('taskset', [
    '-c',
    String(cpu),
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    ...headers.flatMap((header) => ['-H', header]),
    ...(script === undefined ? [] : ['-s', script[0]]),
    url,
    ...(script === undefined ? [] : ['--', ...script.slice(1)]),
  ])
  const total = /(\d+) requests in ([\d.]+)s, ([\d.]+)([KMGT]?B) read/.exec(stdout)
  if (total === null) throw new Error(`wrk said something unexpected:\n${stdout}`)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)
  return {
    requests: Number(total[1]),
    seconds: Number(total[2]),
    bytes: Number(total[3]) * (units[total[4]!] ?? 1),
    errors: (errors?.slice(1) ?? []).reduce((sum, text) => sum + Number(text), refused),
  }
}

const units: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
}
