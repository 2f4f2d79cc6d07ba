import { type Daemon, daemon } from '../daemon.ts'
import { path } from '../needs.ts'
import { said } from '../run.ts'

/** A Redis server that keeps nothing. */
export interface Redis extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly address: string
  readonly pid: number
  /** Its process ends without farewell. */
  kill(): Promise<void>
  /** Another process takes its place. */
  revive(): Promise<void>
  /** A number of what `INFO` says, such as `total_connections_received`. */
  info(name: string): Promise<number>
}

/** Starts Redis. */
export async function redis(host: string, port: number): Promise<Redis> {
  let process: Daemon
  async function revive(): Promise<void> {
    process = await daemon(
      path('redis-server'),
      [
        ...['--bind', host, '--port', String(port), '--save', '', '--appendonly', 'no'],
        ...['--protected-mode', 'no', '--tcp-backlog', '1024', '--io-threads', '1'],
      ],
      { ready: /Ready to accept connections/ },
    )
  }
  await revive()
  return {
    host,
    port,
    address: `${host}:${port}`,
    get pid() {
      return process.pid
    },
    kill: () => process.kill('SIGKILL'),
    revive,
    async info(name) {
      const text = await said(path('redis-cli'), ['-h', host, '-p', String(port), 'INFO'])
      return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
    },
    [Symbol.asyncDispose]: () => process.kill('SIGTERM'),
  }
}
