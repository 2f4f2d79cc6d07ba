import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { find } from './needs.ts'

/** A process that a test started and ends, by its id. */
export interface Daemon extends AsyncDisposable {
  readonly pid: number
  /** The last of what it said on both outputs. */
  readonly output: string
  /** Waits for words of its output, from its start on; rejects when it ends without them. */
  says(words: RegExp): Promise<RegExpExecArray>
  write(text: string): void
  /** Closes its standard input and waits for the end that follows. */
  end(): Promise<void>
  /** Sends a signal and waits for the end. Default SIGKILL: no farewell. */
  kill(signal?: NodeJS.Signals): Promise<void>
}

/** How a daemon is started. */
export interface DaemonOptions {
  /** It is ready when a TCP port or unix socket answers, or when it says these words. Default: at once. */
  readonly ready?: Listening | RegExp
  /** The signal that ends it in good order. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals
  readonly env?: Readonly<Record<string, string>>
  /** Told each whole line of its standard output. */
  readonly onLine?: (line: string) => void
  /** Put in front of its command, such as `ip netns exec NAME`. */
  readonly inside?: readonly string[]
}

/** Where a daemon listens. */
export type Listening = { readonly host: string; readonly port: number } | { readonly path: string }

const keptOutput = 65_536

/** Starts a command and waits until it is ready. It dies with the test process, whatever happens to that. */
export async function daemon(
  command: string,
  args: readonly string[],
  options: DaemonOptions = {},
): Promise<Daemon> {
  const { ready, stopSignal = 'SIGTERM', env = {}, inside = [], onLine } = options
  const guard = find('setpriv')
  const words = [
    ...(guard === undefined ? [] : [guard, '--pdeathsig', 'KILL', '--']),
    ...inside,
    command,
    ...args,
  ]
  const child = spawn(words[0]!, words.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...env },
  })
  child.stdin.on('error', () => {})
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output = (output + text).slice(-keptOutput)
    })
  }
  if (onLine !== undefined) createInterface({ input: child.stdout }).on('line', onLine)
  const ended = new Promise<Error>((resolve) => {
    child.once('error', resolve)
    child.once('close', (code, signal) =>
      resolve(new Error(`${command} ended with ${code ?? signal}:\n${output}`)),
    )
  })
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (child.pid === undefined || isOver()) return
    const exit = once(child, 'exit')
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
    await exit
    clearTimeout(timer)
  }
  const self: Daemon = {
    get pid() {
      return child.pid!
    },
    get output() {
      return output
    },
    async says(pattern) {
      let over: Error | undefined
      void ended.then((error) => (over = error))
      for (;;) {
        const match = pattern.exec(output)
        if (match !== null) return match
        if (over !== undefined) throw over
        await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), ended])
      }
    },
    write: (text) => void child.stdin.write(text),
    async end() {
      if (isOver()) return
      const exit = once(child, 'close')
      child.stdin.end()
      await exit
    },
    kill,
    [Symbol.asyncDispose]: () => kill(stopSignal),
  }
  try {
    if (ready instanceof RegExp) await self.says(ready)
    else if (ready !== undefined) await answers(ready, ended)
    return self
  } catch (error) {
    await kill()
    throw error
  }
}

/** Daemons say nothing when they begin to listen, so there is nothing to do but ask. */
async function answers(where: Listening, ended: Promise<Error>): Promise<void> {
  let over: Error | undefined
  void ended.then((error) => (over = error))
  for (let attempt = 0; attempt < 400; attempt++) {
    if (over !== undefined) throw over
    const socket = connect(where)
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (up) return
    await pause(25)
  }
  throw new Error(`nothing answers on ${JSON.stringify(where)}`)
}
