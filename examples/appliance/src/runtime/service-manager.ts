import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Logger } from '@steelyard/core'

/** Tells systemd how the service is; does nothing without it. */
export interface ServiceManager {
  ready(): Promise<void>
  reloading(): Promise<void>
  stopping(): Promise<void>
}

const run = promisify(execFile)

/**
 * Speaks to systemd through its own `systemd-notify`, as Node has no datagrams over unix sockets; the
 * unit needs `NotifyAccess=all`. Active only with `NOTIFY_SOCKET`.
 */
export function serviceManager(env: NodeJS.ProcessEnv, log: Logger): ServiceManager {
  async function notify(...args: string[]): Promise<void> {
    if (env['NOTIFY_SOCKET'] === undefined) return
    try {
      await run('systemd-notify', [`--pid=${process.pid}`, ...args], { timeout: 5000 })
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'systemd-notify failed')
    }
  }
  return {
    ready: () => notify('--ready', '--status=running'),
    reloading: () => notify('--reloading', '--status=reloading'),
    stopping: () => notify('--stopping', '--status=draining'),
  }
}
