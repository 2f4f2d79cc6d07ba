import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a demo backend speaks. */
export type DemoProtocol = 'tcp' | 'udp' | 'http'

/** A demo backend and its process. */
export interface DemoBackend {
  readonly name: string
  readonly protocol: DemoProtocol
  readonly port: number
  /** Absent while it is dead. */
  readonly pid: number | undefined
  /** Kills the process, as a crash would. */
  kill(): Promise<void>
  /** Starts it again on its port. */
  revive(): Promise<void>
}

/** Starts a backend on a port of the system's choice. */
export async function demoBackend(name: string, protocol: DemoProtocol): Promise<DemoBackend> {
  let port = 0
  let child: ChildProcess | undefined

  async function run(): Promise<void> {
    const script = fileURLToPath(
      new URL(
        import.meta.url.endsWith('.ts') ? './backend.ts' : './demo-backend.js',
        import.meta.url,
      ),
    )
    const started = fork(script, [name, protocol, String(port)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const gone = once(started, 'exit').then(([code]) => {
      throw new Error(`demo backend ${name} ended at its start with exit code ${code}`)
    })
    gone.catch(() => {})
    const [message] = (await Promise.race([once(started, 'message'), gone])) as [{ port: number }]
    port = message.port
    child = started
    started.once('exit', () => {
      if (child === started) child = undefined
    })
  }

  await run()
  return {
    name,
    protocol,
    get port() {
      return port
    },
    get pid() {
      return child?.pid
    },
    async kill() {
      const dying = child
      child = undefined
      if (dying === undefined) return
      dying.kill('SIGKILL')
      await once(dying, 'exit')
    },
    async revive() {
      if (child === undefined) await run()
    },
  }
}
