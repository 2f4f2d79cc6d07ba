import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A connection that did not get its answer. */
export interface Failure {
  /** When it was opened, as `performance.now()` counts. */
  readonly startedAt: number
  readonly reason: string
}

/** Clients that open one connection after the other. */
export interface Load extends AsyncDisposable {
  /** Answers by the name of the backend. */
  readonly answers: ReadonlyMap<string, number>
  readonly failures: readonly Failure[]
  /** Connections that got their answer. */
  readonly done: number
  /** Forgets the counts so far. */
  reset(): void
  /** Resolves when so many more connections have got their answer. */
  more(count: number): Promise<void>
  /** Ends all clients once they have their answers. */
  stop(): Promise<void>
}

/** Lets clients connect, ask, read the answer, close, and begin again. */
export function load(
  port: number,
  options: { readonly clients: number; readonly pauseMs?: number; readonly host?: string },
): Load {
  const { clients, pauseMs = 30, host = '127.0.0.1' } = options
  const answers = new Map<string, number>()
  const failures: Failure[] = []
  const waiting = new Set<() => void>()
  let done = 0
  let running = true

  async function client(): Promise<void> {
    // Not all at once: a load, not a volley.
    await pause(Math.random() * pauseMs)
    while (running) {
      const startedAt = performance.now()
      try {
        const name = await ask(port, host)
        answers.set(name, (answers.get(name) ?? 0) + 1)
        done += 1
        for (const check of waiting) check()
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException
        failures.push({ startedAt, reason: code ?? message })
      }
      await pause(pauseMs)
    }
  }

  const loops = Array.from({ length: clients }, () => client())
  const stop = async (): Promise<void> => {
    running = false
    await Promise.all(loops)
  }
  return {
    answers,
    failures,
    get done() {
      return done
    },
    reset() {
      answers.clear()
      failures.length = 0
      done = 0
    },
    more(count) {
      const goal = done + count
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const deadline = setTimeout(() => {
        waiting.delete(check)
        reject(
          new Error(
            `${goal - done} of ${count} connections are missing after 20 s; ${failures.length} failed, the last: ${failures.at(-1)?.reason}`,
          ),
        )
      }, 20_000)
      function check(): void {
        if (done < goal) return
        clearTimeout(deadline)
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      return promise
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** One connection: a line out, the answer in. */
export function ask(port: number, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true }, () => socket.write('who?\n'))
    let answer = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (!answer.endsWith('\n')) return
      resolve(answer.trimEnd())
      socket.end()
    })
    socket.on('end', () => reject(new Error('closed without an answer')))
    socket.on('close', () => reject(new Error('closed without an answer')))
  })
}
