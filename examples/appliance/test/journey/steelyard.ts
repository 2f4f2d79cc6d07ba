import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/steelyard.mjs', import.meta.url))
/** Speeds up the many short processes; it holds nothing but compiled code, by content. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/journey', import.meta.url))

/** A process of the command line and what it has said. */
export interface Steelyard {
  readonly child: ChildProcess
  readonly out: string
  readonly err: string
  /** Standard output and error as they came. */
  readonly log: string
  /** Resolves with the exit code, or with the name of the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Starts the command line from its sources, so that no build is needed and none can be stale. */
export function steelyard(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly stdio?: StdioOptions } = {},
): Steelyard {
  const { STEELYARD_ADMIN: _, ...inherited } = process.env
  const child = spawn(process.execPath, ['--conditions=@steelyard/source', bin, ...args], {
    stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, NODE_COMPILE_CACHE: compileCache, NO_COLOR: '1', ...options.env },
  })
  const text = { out: '', err: '', log: '' }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text.out += chunk
    text.log += chunk
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text.err += chunk
    text.log += chunk
  })
  // `close` comes after the last of the output, `exit` may not.
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  return {
    child,
    ended,
    get out() {
      return text.out
    },
    get err() {
      return text.err
    },
    get log() {
      return text.log
    },
  }
}

/** What a command did. */
export interface Ran {
  readonly code: number | string
  readonly out: string
  readonly err: string
}

/** Runs a command to its end. */
export async function run(...args: readonly string[]): Promise<Ran> {
  const command = steelyard(args)
  const deadline = setTimeout(() => command.child.kill('SIGKILL'), 30_000)
  const code = await command.ended
  clearTimeout(deadline)
  return { code, out: command.out, err: command.err }
}
