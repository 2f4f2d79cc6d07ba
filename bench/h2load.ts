import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** How h2load loads a URL. */
export interface H2Load {
  readonly url: string
  readonly connections: number
  /** Requests under way on each connection. */
  readonly streams: number
  readonly seconds: number
  /** Without `host`: that is `authority`. */
  readonly headers: readonly string[]
  readonly authority: string
  readonly cpu: number
}

/** Runs h2load with one thread on one CPU, and tells how many requests were answered, and how many not well. */
export async function h2load(load: H2Load): Promise<{ requests: number; errors: number }> {
  const { stdout } = await run('taskset', [
    '-c',
    String(load.cpu),
    'h2load',
    '-t1',
    `-c${load.connections}`,
    `-m${load.streams}`,
    `-D${load.seconds}`,
    ...[`:authority: ${load.authority}`, ...load.headers].flatMap((header) => ['-H', header]),
    load.url,
  ])
  const counts = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(stdout)
  if (counts === null || !stdout.includes('Application protocol: h2')) {
    throw new Error(`h2load said something unexpected:\n${stdout}`)
  }
  const [requests, ...failures] = counts.slice(1).map(Number) as [number, ...number[]]
  return { requests, errors: failures.reduce((sum, count) => sum + count, 0) }
}
