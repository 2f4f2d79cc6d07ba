import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Daemon, daemon } from '../daemon.ts'
import type { Plan, Told, ToldRecord } from './plan.ts'

/** A balancer in a process of its own. */
export interface RemoteBalancer extends AsyncDisposable {
  readonly port: number
  readonly process: Daemon
  /** The records of its connections or sessions so far. */
  readonly records: readonly ToldRecord[]
  /** The next record that was not asked for yet. */
  record(): Promise<ToldRecord>
  /** When a member got this verdict: waits for the first such news from a moment on. */
  verdict(id: string, health: 'up' | 'down', from?: number): Promise<Told & { tell: 'health' }>
  stats(): Promise<Record<string, unknown>>
}

const program = fileURLToPath(new URL('balancer-process.ts', import.meta.url))

/** The command of such a process. */
export function balancerCommand(plan: Plan): [string, ...string[]] {
  return [process.execPath, '--conditions=@steelyard/source', program, JSON.stringify(plan)]
}

/** Starts a balancer; `inside` are the words that bring a command into a namespace, or hand it a socket. */
export async function remoteBalancer(
  plan: Plan,
  inside: readonly string[] = [],
): Promise<RemoteBalancer> {
  const news = new EventEmitter()
  const told: Told[] = []
  const [command, ...args] = balancerCommand(plan)
  const started = await daemon(command, args, {
    inside,
    onLine(line) {
      told.push(JSON.parse(line) as Told)
      news.emit('told')
    },
  })
  let read = 0

  function some<What extends Told['tell']>(
    what: What,
    match: (one: Told & { tell: What }) => boolean = () => true,
  ): (Told & { tell: What })[] {
    return told.filter(
      (one): one is Told & { tell: What } =>
        one.tell === what && match(one as Told & { tell: What }),
    )
  }

  async function wait<T>(look: () => T | undefined): Promise<T> {
    const signal = AbortSignal.timeout(20_000)
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await once(news, 'told', { signal }).catch((cause: unknown) => {
        throw new Error(`the balancer did not tell it in time:\n${started.output}`, { cause })
      })
    }
  }

  try {
    const { port } = await wait(() => some('listening')[0])
    return {
      port,
      process: started,
      get records() {
        return some('session').map(({ record }) => record)
      },
      async record() {
        const { record } = await wait(() => some('session')[read])
        read += 1
        return record
      },
      verdict: (id, health, from = 0) =>
        wait(
          () =>
            some('health', (one) => one.id === id && one.health === health && one.at >= from)[0],
        ),
      async stats() {
        const before = some('stats').length
        started.write('stats\n')
        const { stats } = await wait(() => some('stats')[before])
        return stats as unknown as Record<string, unknown>
      },
      [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
    }
  } catch (error) {
    await started.kill()
    throw error
  }
}
